// ArgMax and ArgMin.
#include <algorithm>

#include "ops/chunks.h"
#include "ops/reduce.h"
#include "ops/reduce_axis.h"

namespace speedwell {

namespace {

// Whether x takes the place of what stands before it. The first NaN wins, as numpy has it (the last where `last`).
template <typename F, typename T>
bool beats(T x, T best, bool last) {
  const bool ahead = std::is_same_v<F, Largest> ? x > best : x < best;
  return ahead || (last && x == best) || (x != x && (last || best == best));
}

// Where F's extreme of n neighbours stands: the extreme first, which is quick, and then its place.
template <typename F, typename T>
int64_t find(const T* x, int64_t n, bool last) {
  const T extreme = static_cast<T>(fold_run<F>(x, n));
  const auto same = [extreme](T v) { return v == extreme || (v != v && extreme != extreme); };
  if (!last) return std::find_if(x, x + n, same) - x;
  int64_t i = n - 1;
  while (i > 0 && !same(x[i])) --i;
  return i;
}

template <typename F, typename T>
void find_columns(const T* x, const Axis& axis, int64_t width, bool last, int64_t* where) {
  constexpr int64_t kTile = 128;
  T best[kTile];
  for (int64_t begin = 0; begin < width; begin += kTile) {
    const int64_t used = std::min(kTile, width - begin);
    std::copy(x + begin, x + begin + used, best);
    std::fill(where + begin, where + begin + used, 0);
    for (int64_t r = 1; r < axis.size; ++r)
      for (int64_t j = 0; j < used; ++j) {
        const T v = x[r * axis.inner + begin + j];
        if (!beats<F>(v, best[j], last)) continue;
        best[j] = v;
        where[begin + j] = r;
      }
  }
}

template <typename F>
class Arg : public Operator {
 public:
  explicit Arg(const Recipe& recipe)
      : axis_(recipe.attributes.integer("axis", 0)),
        keep_(recipe.attributes.integer("keepdims", 1) != 0),
        last_(recipe.attributes.integer("select_last_index", 0) != 0) {}

  void bind(Binding& binding) const override {
    expect_inputs(binding, 1, 1);
    const Shape& shape = operand(binding, 0, kNumbers).shape;
    const int axis = wrap_axis(axis_, shape.rank());
    Shape out;
    for (int i = 0; i < shape.rank(); ++i) {
      if (i != axis) {
        out.push(shape[i]);
      } else if (keep_) {
        out.push(1);
      }
    }
    require(shape[axis] > 0 || out.elements() == 0, Fault::input, "the place of the extreme of nothing");
    binding.output(0, Dtype::s64, out);
  }

  void run(const Run& run) const override {
    const Tensor &in = run.in[0], &out = run.out[0];
    if (out.elements() == 0) return;
    const Axis axis(in.shape, wrap_axis(axis_, in.shape.rank()));
    int64_t* y = out.as<int64_t>();
    visit(in.dtype, [&](auto zero) {
      using T = decltype(zero);
      const T* x = in.as<const T>();
      if (axis.inner == 1) {
        in_chunks(run.pool, axis.outer, kGrain / axis.size, [&](int64_t begin, int64_t end) {
          for (int64_t i = begin; i < end; ++i) y[i] = find<F>(x + i * axis.size, axis.size, last_);
        });
        return;
      }
      // Pieces of columns where there are few rows of them.
      const int64_t pieces = axis.outer < run.pool.threads() ? std::min<int64_t>(axis.inner, 8) : 1;
      in_chunks(run.pool, axis.outer * pieces, kGrain * pieces / (axis.size * axis.inner),
                [&](int64_t begin, int64_t end) {
                  for (int64_t job = begin; job < end; ++job) {
                    const int64_t i = job / pieces, piece = job % pieces;
                    const int64_t first = axis.inner * piece / pieces, past = axis.inner * (piece + 1) / pieces;
                    find_columns<F>(x + i * axis.size * axis.inner + first, axis, past - first, last_,
                                    y + i * axis.inner + first);
                  }
                });
    });
  }

 private:
  int64_t axis_;
  bool keep_, last_;
};

}  // namespace

std::vector<Row> arg_rows() { return {{"ArgMax", make<Arg<Largest>>}, {"ArgMin", make<Arg<Smallest>>}}; }

}  // namespace speedwell
