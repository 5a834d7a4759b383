// NCCL between CUDA devices, as a library of its own that scripts/setup-cuda builds and puts beside libtorch's CUDA
// part: only that has NCCL's symbols, and rs-seg is linked without it.
#define USE_DISTRIBUTED
#define USE_C10D_NCCL
#include <torch/csrc/distributed/c10d/ProcessGroupNCCL.hpp>

#include <chrono>
#include <cstdint>
#include <string>

// Called by c10d.cpp, which looks it up by name; both are built with the headers of one version of libtorch.
extern "C" __attribute__((visibility("default"))) int seg_torch_nccl(const c10::intrusive_ptr<c10d::Store>* store,
                                                                     int rank, int world, int device,
                                                                     std::int64_t timeout,
                                                                     c10::intrusive_ptr<c10d::Backend>* out,
                                                                     std::string* reason) {
  try {
    auto options = c10d::ProcessGroupNCCL::Options::create();
    options->timeout = std::chrono::milliseconds(timeout);
    auto made = c10::make_intrusive<c10d::ProcessGroupNCCL>(*store, rank, world, options);
    made->setBoundDeviceId(at::Device(at::kCUDA, static_cast<c10::DeviceIndex>(device)));
    *out = made;
    return 0;
  } catch (const std::exception& error) {
    *reason = error.what();
  } catch (...) {
    *reason = "unknown C++ exception";
  }
  return 1;
}
