// The attention kernels of one instruction set (core/kernels.h says who may include this).
#pragma once

#include "attention/contract.h"
#include "attention/float.h"
#include "attention/int8.h"
