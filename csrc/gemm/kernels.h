// The matrix kernels of one instruction set (core/kernels.h says who may include this).
#pragma once

#include "gemm/contract.h"
#include "gemm/finish.h"
#if defined(__AVX512F__)
#include "gemm/tiles_avx512.h"
#elif defined(__AVX2__)
#include "gemm/tiles_avx2.h"
#else
#include "gemm/tiles_scalar.h"
#endif
