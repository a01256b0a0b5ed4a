// The matrix kernels of one instruction set (core/kernels.h says who may include this).
#pragma once

#include "gemm/contract.h"
#include "gemm/finish.h"
#include "gemm/int4_start.h"
#if defined(__AVX512F__)
#include "gemm/int4_avx512.h"
#include "gemm/tiles_avx512.h"
#elif defined(__AVX2__)
#include "gemm/int4_avx2.h"
#include "gemm/tiles_avx2.h"
#else
#include "gemm/int4_scalar.h"
#include "gemm/tiles_scalar.h"
#endif
