// Made by coefficients.py, which says how. Lowest power first.
#pragma once

namespace speedwell {
namespace coefficients {

// e^r = 1 + r + r^2 p(r) for |r| <= ln 2 / 2. Relative error 3.1e-09.
constexpr float kExp[] = {4.99999940e-01f, 1.66665211e-01f, 4.16683890e-02f, 8.36871006e-03f, 1.38146128e-03f};

// tanh x = x + x^3 p(x^2) for |x| <= kTanhEnd. Relative error 4.4e-09.
constexpr float kTanhEnd = 0.625f;
constexpr float kTanh[] = {-3.33332807e-01f, 1.33314416e-01f, -5.37397154e-02f, 2.06390861e-02f, -5.70498640e-03f};

// x (1 - Phi(x)), which gelu takes off max(x, 0), = x (kGeluEnd - x)^6 p(x) for 0 <= x <= kGeluEnd; past it
// nothing is left. Error 6.8e-08.
constexpr float kGeluEnd = 6.0f;
constexpr float kGelu[] = {1.07168462e-05f, 2.16344915e-06f, -2.27912460e-06f, -8.61636011e-07f, 4.19008416e-07f,
    -9.48039869e-08f, 1.83760804e-07f, -1.27920700e-07f, 4.06545801e-08f, -6.88022572e-09f, 6.09026163e-10f,
    -2.23212421e-11f};

}  // namespace coefficients
}  // namespace speedwell
