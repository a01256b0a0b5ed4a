// The Python face of the executor: numpy arrays in, numpy arrays out. speedwell/native/session.py wraps it.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <cstring>
#include <tuple>

#include "plan/session.h"

namespace nb = nanobind;

namespace speedwell {
namespace {

using Array = nb::ndarray<nb::c_contig, nb::device::cpu, nb::ro>;

const char* name_of(Fault fault) {
  switch (fault) {
    case Fault::plan: return "plan";
    case Fault::unsupported: return "unsupported";
    case Fault::input: return "input";
    case Fault::memory: return "memory";
  }
  return "plan";
}

Dtype dtype_of(const nb::dlpack::dtype& type) {
  if (type.lanes == 1) {
    const auto code = static_cast<nb::dlpack::dtype_code>(type.code);
    if (code == nb::dlpack::dtype_code::Float && type.bits == 32) return Dtype::f32;
    if (code == nb::dlpack::dtype_code::UInt && type.bits == 8) return Dtype::u8;
    if (code == nb::dlpack::dtype_code::Int && type.bits == 8) return Dtype::s8;
    if (code == nb::dlpack::dtype_code::Int && type.bits == 32) return Dtype::s32;
    if (code == nb::dlpack::dtype_code::Int && type.bits == 64) return Dtype::s64;
    if (code == nb::dlpack::dtype_code::Bool && type.bits == 8) return Dtype::boolean;
  }
  throw Error(Fault::input, "an input of an element type that plans do not carry");
}

nb::dlpack::dtype type_of(Dtype dtype) {
  switch (dtype) {
    case Dtype::f32: return nb::dtype<float>();
    case Dtype::u8: return nb::dtype<uint8_t>();
    case Dtype::s8: return nb::dtype<int8_t>();
    case Dtype::s32: return nb::dtype<int32_t>();
    case Dtype::s64: return nb::dtype<int64_t>();
    case Dtype::boolean: return nb::dtype<bool>();
  }
  return nb::dtype<float>();
}

std::vector<Tensor> views(const std::vector<Array>& arrays) {
  std::vector<Tensor> tensors;
  for (const Array& array : arrays) {
    Tensor tensor;
    tensor.dtype = dtype_of(array.dtype());
    for (size_t d = 0; d < array.ndim(); ++d) tensor.shape.push(static_cast<int64_t>(array.shape(d)));
    tensor.data = const_cast<void*>(array.data());  // an input is never written to: Bound gives it no arena home
    tensors.push_back(tensor);
  }
  return tensors;
}

using Owned = nb::ndarray<nb::numpy>;

std::vector<Owned> run(Session& session, const std::vector<Array>& arrays) {
  const std::vector<Tensor> inputs = views(arrays);
  struct Copy {
    Tensor tensor;
    Block block;
  };
  std::vector<Copy> copies;
  {
    const nb::gil_scoped_release released;
    session.run(inputs, [&](size_t, const Tensor& tensor) {
      copies.push_back({tensor, allocate(tensor.bytes())});
      if (tensor.bytes()) std::memcpy(copies.back().block.get(), tensor.data, tensor.bytes());
    });
  }
  std::vector<Owned> outputs;
  for (Copy& copy : copies) {
    char* data = copy.block.release();
    nb::capsule owner(data, [](void* p) noexcept { Free()(static_cast<char*>(p)); });
    size_t sizes[kMaxRank] = {};
    for (int d = 0; d < copy.tensor.shape.rank(); ++d) sizes[d] = static_cast<size_t>(copy.tensor.shape[d]);
    outputs.emplace_back(data, static_cast<size_t>(copy.tensor.shape.rank()), sizes, owner, nullptr, type_of(copy.tensor.dtype));
  }
  return outputs;
}

std::vector<std::tuple<std::string, std::string, double>> profile(Session& session, const std::vector<Array>& arrays, int runs) {
  const std::vector<Tensor> inputs = views(arrays);
  std::vector<Timing> times;
  {
    const nb::gil_scoped_release released;
    times = session.profile(inputs, runs);
  }
  std::vector<std::tuple<std::string, std::string, double>> rows;
  for (const Timing& time : times) rows.emplace_back(time.name, time.kind, time.seconds);
  return rows;
}

const char* name_of(Bound::Home home) {
  switch (home) {
    case Bound::Home::none: return "none";
    case Bound::Home::input: return "input";
    case Bound::Home::fixed: return "fixed";
    case Bound::Home::arena: return "arena";
  }
  return "none";
}

nb::list sizes_of(const Shape& shape) {
  nb::list sizes;
  for (int d = 0; d < shape.rank(); ++d) sizes.append(shape[d]);
  return sizes;
}

// The operands that the plan names: None for one left out.
nb::list operands(const Bound& bound, const std::vector<Tensor>& tensors, size_t named) {
  nb::list found;
  for (size_t i = 0; i < named; ++i) {
    const Bound::Place place = bound.place(tensors[i]);
    if (place.home == Bound::Home::none) {
      found.append(nb::none());
      continue;
    }
    nb::dict operand;
    operand["dtype"] = name_of(tensors[i].dtype);
    operand["shape"] = sizes_of(tensors[i].shape);
    operand["bytes"] = tensors[i].bytes();
    operand["home"] = name_of(place.home);
    operand["at"] = place.at;
    found.append(operand);
  }
  return found;
}

// What bound sizes make of the plan: the operators that run, in order, and where their operands lie.
nb::dict bound(Session& session, const std::vector<std::vector<int64_t>>& sizes) {
  std::vector<Shape> shapes;
  for (const std::vector<int64_t>& of_one : sizes) {
    Shape shape;
    for (const int64_t size : of_one) shape.push(size);
    shapes.push_back(shape);
  }
  nb::dict answer;
  session.bound(shapes, [&](const Bound& binding) {
    nb::list steps;
    for (const Bound::Step& step : binding.steps()) {
      const PlanOperator& planned = session.plan().operators[static_cast<size_t>(step.op)];
      nb::dict row;
      row["operator"] = step.op;
      row["inputs"] = operands(binding, step.in, planned.inputs.size());
      row["outputs"] = operands(binding, step.out, planned.outputs.size());
      row["scratch"] = step.scratch;
      row["scratch_bytes"] = step.scratch_bytes;
      steps.append(row);
    }
    answer["arena_bytes"] = binding.arena_bytes();
    answer["steps"] = steps;
  });
  return answer;
}

nb::dict facts(const Session& session) {
  nb::dict facts;
  facts["isa"] = session.isa();
  facts["threads"] = session.threads();
  facts["weight_bytes"] = session.weight_bytes();
  facts["arena_bytes"] = session.arena_bytes();
  facts["operators"] = session.operators();
  return facts;
}

std::vector<std::string> isas() {
  std::vector<std::string> names;
  for (const char* const* name = supported_isas(); *name; ++name) names.emplace_back(*name);
  return names;
}

}  // namespace

NB_MODULE(_engine, m) {
  nb::object error = nb::borrow(PyErr_NewException("speedwell.native._engine.Error", PyExc_RuntimeError, nullptr));
  m.attr("Error") = error;
  static PyObject* const type = error.ptr();
  Py_INCREF(type);
  nb::register_exception_translator([](const std::exception_ptr& pointer, void*) {
    try {
      std::rethrow_exception(pointer);
    } catch (const Error& caught) {
      PyErr_SetObject(type, nb::make_tuple(caught.what(), name_of(caught.fault())).ptr());
    }
  });
  nb::class_<Session>(m, "Session")
      .def(nb::init<const std::string&, const std::string&, int, const std::string&>(), nb::arg("plan"), nb::arg("weights"),
           nb::arg("threads") = 1, nb::arg("isa") = "")
      .def("run", &run, nb::arg("inputs"))
      .def("profile", &profile, nb::arg("inputs"), nb::arg("runs"))
      .def("bound", &bound, nb::arg("shapes"))
      .def("facts", &facts);
  m.def("supported_isas", &isas);
  m.def("operator_kinds", &operator_kinds);
}

}  // namespace speedwell
