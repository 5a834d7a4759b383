// gloo as far as c10d's header names it: libtorch has all of it inside, and comes without its headers. Its objects
// are made and used in libtorch alone; here they are pointers.
#pragma once

#include <chrono>

namespace gloo {
class Context {
 public:
  void setTimeout(std::chrono::milliseconds timeout);
};
}  // namespace gloo
