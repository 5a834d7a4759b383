// What has to do with NVIDIA's GPUs; linked with libtorch's processor part alone, so all of CUDA is reached through
// what libtorch registers when its CUDA part is loaded, or by name.
#include <ATen/Context.h>
#include <ATen/detail/CUDAHooksInterface.h>
#include <ATen/ops/empty.h>
#include <c10/core/Event.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include <dlfcn.h>
#include <link.h>

#include <cstdint>
#include <string>

#include "shim.h"

namespace {

// libtorch writes warnings to standard error, where every line has a form of its own.
struct Silence : c10::WarningHandler {
  void process(const c10::Warning&) override {}
};

// A function of a library, or an exception.
template <class F>
F* function(void* library, const char* name) {
  auto* found = reinterpret_cast<F*>(dlsym(library, name));
  TORCH_CHECK(found != nullptr, "the driver's library lacks ", name);
  return found;
}

void check(int result, const char* what) { TORCH_CHECK(result == 0, what, " failed with CUDA error ", result); }

}  // namespace

extern "C" {

// Opens a library for the rest of the process's life, its symbols and name known to all that comes after it.
int seg_torch_open_library(const char* path) {
  return guard([&]() -> int {
    if (dlopen(path, RTLD_NOW | RTLD_GLOBAL) != nullptr) return OK;
    const char* reason = dlerror();
    last_error = reason == nullptr ? "the system gave no reason" : reason;
    return FAILED;
  });
}

// The file of a library that is loaded, as its name was found; null if it is not.
const char* seg_torch_library_path(const char* name) {
  static thread_local std::string path;
  void* library = dlopen(name, RTLD_LAZY | RTLD_NOLOAD);
  if (library == nullptr) return nullptr;
  link_map* map = nullptr;
  const bool found = dlinfo(library, RTLD_DI_LINKMAP, &map) == 0 && map != nullptr;
  if (found) path = map->l_name;
  dlclose(library);
  return found ? path.c_str() : nullptr;
}

// Whether libtorch's CUDA part has registered itself; the first call decides for all later ones.
int seg_torch_has_cuda_part() { return at::globalContext().hasCUDART(); }

// CUDA devices that libtorch can count; none is no failure.
int seg_torch_cuda_count() {
  int count = 0;
  const int status = guard([&] {
    Silence silence;
    c10::WarningUtils::WarningHandlerGuard quiet(&silence);
    count = at::detail::getCUDAHooks().deviceCount();
    return OK;
  });
  return status == OK ? count : 0;
}

// Versions as CUDA and cuDNN write them, such as 13000 and 92000.
int seg_torch_cuda_versions(int64_t* runtime, int64_t* cudnn) {
  return guard([&] {
    *runtime = at::globalContext().versionCUDART();
    *cudnn = at::globalContext().versionCuDNN();
    return OK;
  });
}

// What the driver knows of a device, counted as libtorch counts. The driver's library is there where a device is.
int seg_torch_cuda_device(int index, char* name, int length, int* major, int* minor, uint64_t* memory) {
  return guard([&] {
    void* driver = dlopen("libcuda.so.1", RTLD_NOW);
    TORCH_CHECK(driver != nullptr, "libcuda.so.1 cannot be loaded");
    int device = 0;
    std::size_t bytes = 0;
    check(function<int(unsigned)>(driver, "cuInit")(0), "cuInit");
    check(function<int(int*, int)>(driver, "cuDeviceGet")(&device, index), "cuDeviceGet");
    check(function<int(char*, int, int)>(driver, "cuDeviceGetName")(name, length, device), "cuDeviceGetName");
    auto* attribute = function<int(int*, int, int)>(driver, "cuDeviceGetAttribute");
    // CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR and _MINOR.
    check(attribute(major, 75, device), "cuDeviceGetAttribute");
    check(attribute(minor, 76, device), "cuDeviceGetAttribute");
    check(function<int(std::size_t*, int)>(driver, "cuDeviceTotalMem_v2")(&bytes, device), "cuDeviceTotalMem");
    *memory = bytes;
    return OK;
  });
}

// float32 means float32, as on the processor, and cuDNN tries its algorithms for every new shape.
int seg_torch_prepare_cuda() {
  return guard([&] {
    at::globalContext().setAllowTF32CuDNN(false);
    at::globalContext().setBenchmarkCuDNN(true);
    return OK;
  });
}

int seg_torch_allows_tf32() { return at::globalContext().allowTF32CuDNN(); }
int seg_torch_benchmarks() { return at::globalContext().benchmarkCuDNN(); }

// A copy on a CUDA device through page-locked memory, which the device reads while this thread goes on: work that
// is given to the device later waits for it, and libtorch keeps the memory until then.
int seg_torch_upload(const at::Tensor* tensor, int device, at::Tensor** out) {
  return guard([&] {
    const c10::Device to(c10::kCUDA, static_cast<c10::DeviceIndex>(device));
    *out = new at::Tensor(tensor->pin_memory().to(to, tensor->scalar_type(), /*non_blocking=*/true));
    return OK;
  });
}

// A copy of a CUDA tensor in page-locked memory; waits for this copy and what it depends on, for nothing else.
int seg_torch_download(const at::Tensor* tensor, at::Tensor** out) {
  return guard([&] {
    at::Tensor host = at::empty(tensor->sizes(), tensor->options().device(c10::kCPU).pinned_memory(true));
    host.copy_(*tensor, /*non_blocking=*/true);
    const c10::impl::VirtualGuardImpl devices(tensor->device().type());
    c10::Event copied(tensor->device().type());
    copied.record(devices.getStream(tensor->device()));
    copied.synchronize();
    *out = new at::Tensor(host);
    return OK;
  });
}

}  // extern "C"
