// How failures leave the shim: each exception is caught, and its message kept for the thread that made the call.
#pragma once

#include <c10/util/Exception.h>

#include <exception>
#include <string>

enum Status : int { OK = 0, FAILED = 1, NOT_A_TENSOR = 2 };

namespace seg_torch {
extern thread_local std::string last_error;
}
using seg_torch::last_error;

template <class F>
int guard(F body) {
  try {
    return body();
  } catch (const c10::Error& e) {
    last_error = e.what_without_backtrace();
  } catch (const std::exception& e) {
    last_error = e.what();
  } catch (...) {
    last_error = "unknown C++ exception";
  }
  return FAILED;
}
