// The float kernels of one instruction set (core/kernels.h says who may include this).
#pragma once

#include "vector/activation.h"
#include "vector/arithmetic.h"
#include "vector/functions.h"
#include "vector/layer_norm.h"
#include "vector/lookup.h"
#include "vector/quantize.h"
#include "vector/softmax.h"
