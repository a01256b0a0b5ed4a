#include "ops/reduce.h"

#include "ops/families.h"
#include "ops/reduce_layout.h"

namespace speedwell {

namespace {

// Columns side by side over the rows [begin, end) of the reduced loops. In lanes of 64 rows at most: see Lane.
template <typename F, typename T>
void fold_columns(const ReduceLayout& layout, const T* x, int64_t begin, int64_t end, int64_t width, Total<T>* total) {
  constexpr int64_t kRows = 64;
  Lane<T> lane[ReduceLayout::kTile];
  const int64_t step = layout.reduced.step(0);
  int64_t taken = 0;
  std::fill(total, total + width, F::template first<T, Total<T>>());
  std::fill(lane, lane + width, F::template first<T, Lane<T>>());
  const auto flush = [&] {
    for (int64_t j = 0; j < width; ++j) {
      total[j] = F::join(total[j], static_cast<Total<T>>(lane[j]));
      lane[j] = F::template first<T, Lane<T>>();
    }
    taken = 0;
  };
  layout.reduced.over(begin, end, [&](int64_t, const Loops<1>::Strides& at, int64_t n) {
    for (int64_t r = 0; r < n; ++r) {
      const T* row = x + at[0] + r * step;
      for (int64_t j = 0; j < width; ++j) lane[j] = F::take(lane[j], row[j]);
      if (++taken == kRows) flush();
    }
  });
  flush();
}

template <typename F, typename T>
Total<T> fold_rows_of(const ReduceLayout& layout, const T* x, int64_t begin, int64_t end) {
  Total<T> total = F::template first<T, Total<T>>();
  layout.reduced.over(begin, end, [&](int64_t, const Loops<1>::Strides& at, int64_t n) {
    total = F::join(total, fold_run<F>(x + at[0], n));
  });
  return total;
}

template <typename F, typename T>
void reduce(const Run& run, const ReduceLayout& layout) {
  constexpr int64_t kTile = ReduceLayout::kTile;
  const T* x = run.in[0].as<const T>();
  T* y = run.out[0].as<T>();
  const int64_t slices = layout.slices, rows = layout.rows, width = std::min(layout.columns, kTile);
  Total<T>* partial = reinterpret_cast<Total<T>*>(run.scratch);
  in_chunks(run.pool, layout.items * slices, kGrain / (rows / slices * width), [&](int64_t first, int64_t last) {
    for (int64_t job = first; job < last; ++job) {
      const int64_t item = job / slices, slice = job % slices, tile = item % layout.tiles * kTile;
      const int64_t begin = rows / slices * slice + std::min(slice, rows % slices);
      const int64_t end = begin + rows / slices + (slice < rows % slices ? 1 : 0);
      const T* base = x + layout.kept.at(item / layout.tiles)[0] + tile;
      const int64_t used = std::min(kTile, layout.columns - tile);
      Total<T> here[kTile];
      Total<T>* total = slices > 1 ? partial + job * width : here;
      if (layout.columns > 1) {
        fold_columns<F>(layout, base, begin, end, used, total);
      } else {
        *total = fold_rows_of<F>(layout, base, begin, end);
      }
      if (slices > 1) continue;
      T* to = y + item / layout.tiles * layout.columns + tile;
      for (int64_t j = 0; j < used; ++j) to[j] = F::template finish<T>(total[j], rows);
    }
  });
  for (int64_t item = 0; slices > 1 && item < layout.items; ++item) {
    const int64_t tile = item % layout.tiles * kTile, used = std::min(kTile, layout.columns - tile);
    T* to = y + item / layout.tiles * layout.columns + tile;
    for (int64_t j = 0; j < used; ++j) {
      const Total<T>* total = partial + item * slices * width + j;
      Total<T> whole = total[0];
      for (int64_t slice = 1; slice < slices; ++slice) whole = F::join(whole, total[slice * width]);
      to[j] = F::template finish<T>(whole, rows);
    }
  }
}

template <typename F>
class Reduce : public Operator {
 public:
  explicit Reduce(const Recipe& recipe)
      : keep_(recipe.attributes.integer("keepdims", 1) != 0),
        none_without_axes_(recipe.attributes.integer("noop_with_empty_axes", 0) != 0) {
    refuse_attributes(recipe, {"axes"});
  }

  void bind(Binding& binding) const override {
    constexpr bool ordered = std::is_same_v<F, Largest> || std::is_same_v<F, Smallest>;
    expect_inputs(binding, 1, 2);
    const Known& x = operand(binding, 0, ordered ? kEvery : kFloat | kIntegers);
    const unsigned axes = axes_of(x.shape.rank(), Integers(binding.input(1)));
    Shape out;
    for (int i = 0; i < x.shape.rank(); ++i) {
      if (!(axes >> i & 1)) {
        out.push(x.shape[i]);
      } else if (keep_) {
        out.push(1);
      }
    }
    binding.output(0, x.dtype, out);
    if (x.shape.elements() > 0) binding.scratch(ReduceLayout(x.shape, axes).scratch());
  }

  void run(const Run& run) const override {
    const Tensor &in = run.in[0], &out = run.out[0];
    if (out.elements() == 0) return;
    if (in.elements() == 0) {
      visit(in.dtype, [&](auto zero) {
        using T = decltype(zero);
        const Total<T> nothing = F::template first<T, Total<T>>();
        T value = F::template finish<T>(nothing, 0);
        if (in.dtype == Dtype::boolean) value = std::is_same_v<F, Smallest>;
        std::fill(out.as<T>(), out.as<T>() + out.elements(), value);
      });
      return;
    }
    const Integers axes(run.inputs > 1 ? run.in[1] : Tensor{});
    const ReduceLayout layout(in.shape, axes_of(in.shape.rank(), axes));
    visit(in.dtype, [&](auto zero) { reduce<F, decltype(zero)>(run, layout); });
  }

 private:
  unsigned axes_of(int rank, const Integers& axes) const {
    if (axes.size()) return axis_set(axes, rank);
    return none_without_axes_ ? 0 : (1u << rank) - 1;
  }

  bool keep_, none_without_axes_;
};

}  // namespace

std::vector<Row> fold_rows() {
  return {{"ReduceSum", make<Reduce<Sum>>},
          {"ReduceMean", make<Reduce<Mean>>},
          {"ReduceMax", make<Reduce<Largest>>},
          {"ReduceMin", make<Reduce<Smallest>>},
          {"ReduceProd", make<Reduce<Product>>},
          {"ReduceL1", make<Reduce<SumOfMagnitudes>>},
          {"ReduceL2", make<Reduce<Norm>>},
          {"ReduceSumSquare", make<Reduce<SumOfSquares>>}};
}

std::vector<Row> reduce_rows() {
  std::vector<Row> all;
  for (const auto& part : {fold_rows, arg_rows, scan_rows, top_rows})
    for (const Row& row : part()) all.push_back(row);
  return all;
}

}  // namespace speedwell
