// Made by coefficients.py, which says how. Lowest power first.
#pragma once

namespace speedwell {
namespace coefficients {

// e^r = 1 + r + r^2 p(r) for |r| <= ln 2 / 2. Relative error 3.1e-09.
constexpr float kExp[] = {4.99999940e-01f, 1.66665211e-01f, 4.16683890e-02f, 8.36871006e-03f, 1.38146128e-03f};

// 255 2^f for |f| <= 1/2, 255 at 0. Relative error 1.0e-04.
constexpr float kShare[] = {2.55000000e+02f, 1.76787140e+02f, 6.17637939e+01f, 1.40272770e+01f};

// tanh x = x + x^3 p(x^2) for |x| <= kTanhEnd. Relative error 4.4e-09.
constexpr float kTanhEnd = 0.625f;
constexpr float kTanh[] = {-3.33332807e-01f, 1.33314416e-01f, -5.37397154e-02f, 2.06390861e-02f, -5.70498640e-03f};

// x (1 - Phi(x)), which gelu takes off max(x, 0), = x (kGeluEnd - x)^6 p(x) for 0 <= x <= kGeluEnd; past it
// nothing is left. Error 6.8e-08.
constexpr float kGeluEnd = 6.0f;
constexpr float kGelu[] = {1.07168462e-05f, 2.16344915e-06f, -2.27912460e-06f, -8.61636011e-07f, 4.19008416e-07f,
    -9.48039869e-08f, 1.83760804e-07f, -1.27920700e-07f, 4.06545801e-08f, -6.88022572e-09f, 6.09026163e-10f,
    -2.23212421e-11f};

// log(1 + f) = f - f^2 / 2 + f^3 p(f) for sqrt(1/2) <= 1 + f <= sqrt(2). Relative error 5.8e-09.
constexpr float kLog[] = {3.33333313e-01f, -2.50008196e-01f, 2.00012267e-01f, -1.66233569e-01f, 1.42017573e-01f,
    -1.31601825e-01f, 1.27615780e-01f, -7.63449743e-02f};

// erf x = x + x p(x^2) for |x| <= kErfNear. Relative error 1.2e-09.
constexpr float kErfNear = 1.0f;
constexpr float kErf[] = {1.28379166e-01f, -3.76126260e-01f, 1.12835854e-01f, -2.68538129e-02f, 5.18832775e-03f,
    -8.01019371e-04f, 7.85386146e-05f};

// erf x = 1 - e^-p(x) for kErfNear <= x <= kErfEnd, past which it is 1. Relative error 1.6e-08.
constexpr float kErfEnd = 3.925f;
constexpr float kErfFar[] = {2.61916895e-03f, 1.11762130e+00f, 6.54240012e-01f, 8.87997299e-02f, -1.48318475e-02f,
    1.15722115e-03f};

}  // namespace coefficients
}  // namespace speedwell
