// Several processes that compute as one: libtorch's torch.distributed without Python.
#define USE_DISTRIBUTED
#define USE_C10D_GLOO
#include <ATen/ATen.h>
#include <c10/core/DeviceGuard.h>
#include <c10/util/Logging.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroup.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>
#include <torch/csrc/distributed/c10d/reducer.hpp>

#include <dlfcn.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "shim.h"

namespace {

using Milliseconds = std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;
using ProcessGroup = c10::intrusive_ptr<c10d::ProcessGroup>;
using Backend = c10::intrusive_ptr<c10d::Backend>;
using Store = c10::intrusive_ptr<c10d::Store>;

// Not every process came; the message lists those that are missing.
constexpr int MISSING = 3;
// DDP's own sizes: the first bucket is small, so that it goes on its way early.
constexpr std::size_t FIRST_BUCKET = 1 << 20;
constexpr std::size_t BUCKET = 25 << 20;

// The processes, and two ways between them: what is sent on one never waits for the other's turn. Batch norms send
// in the middle of a backward pass, whose buckets are sent as they become ready.
struct Group {
  Store store;
  int rank;
  int world;
  Milliseconds timeout;
  // Until when all have to be connected.
  Clock::time_point deadline;
  ProcessGroup main;
  ProcessGroup within;
};

struct Reducer {
  std::unique_ptr<c10d::Reducer> inner;
  Clock::time_point prepared;
};

Store named(const Group& group, const char* name) { return c10::make_intrusive<c10d::PrefixStore>(name, group.store); }

// At least a moment, since none at all would be forever.
Milliseconds until(Clock::time_point deadline) {
  return std::max(std::chrono::duration_cast<Milliseconds>(deadline - Clock::now()), Milliseconds(1));
}

Store open_store(const char* host, std::uint16_t port, bool serves, std::optional<std::size_t> world,
                 Milliseconds timeout, const char* prefix) {
  // Every retry of a connection would be a line on standard error.
  FLAGS_caffe2_log_level = c10::GLOG_FATAL;
  c10d::TCPStoreOptions options;
  options.port = port;
  options.isServer = serves;
  options.numWorkers = world;
  options.waitWorkers = false;
  options.timeout = timeout;
  return c10::make_intrusive<c10d::PrefixStore>(prefix, c10::make_intrusive<c10d::TCPStore>(host, options));
}

ProcessGroup empty_group(const Group& group, const char* name) {
  auto made = c10::make_intrusive<c10d::ProcessGroup>(named(group, name), group.rank, group.world);
  made->setDefaultBackend(c10d::ProcessGroup::BackendType::GLOO);
  return made;
}

Backend gloo_backend(const Group& group, const char* name, const std::string& interface,
                     const std::string& address) {
  auto options = c10d::ProcessGroupGloo::Options::create(until(group.deadline));
  options->devices.push_back(!interface.empty() ? c10d::ProcessGroupGloo::createDeviceForInterface(interface)
                             : !address.empty() ? c10d::ProcessGroupGloo::createDeviceForHostname(address)
                                                : c10d::ProcessGroupGloo::createDefaultDevice());
  auto made = c10::make_intrusive<c10d::ProcessGroupGloo>(named(group, name), group.rank, group.world, options);
  made->setTimeout(group.timeout);
  return made;
}

Backend backend(const ProcessGroup& group, const at::Tensor& tensor) {
  return group->getBackend(tensor.device().type());
}

void sum(const ProcessGroup& group, at::Tensor& tensor, c10d::ReduceOp operation = c10d::ReduceOp::SUM) {
  std::vector<at::Tensor> tensors{tensor};
  c10d::AllreduceOptions options;
  options.reduceOp = operation;
  backend(group, tensor)->allreduce(tensors, options)->wait();
}

// The sum over all processes, through which gradients go back to all of them.
struct Summed : torch::autograd::Function<Summed> {
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& part, std::int64_t group) {
    context->saved_data["group"] = group;
    at::Tensor whole = part.detach().clone(at::MemoryFormat::Contiguous);
    sum(reinterpret_cast<Group*>(group)->within, whole);
    return whole;
  }
  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list gradients) {
    at::Tensor whole = gradients[0].clone(at::MemoryFormat::Contiguous);
    sum(reinterpret_cast<Group*>(context->saved_data["group"].toInt())->within, whole);
    return {whole, at::Tensor()};
  }
};

// Takes apart what must not throw.
template <class T>
int take_apart(T* owned) {
  return guard([&] {
    delete owned;
    return OK;
  });
}

}  // namespace

extern "C" {

// What the store of a launcher calls its launch: the name that is offered, if there was none yet.
int seg_torch_launch_name(const char* host, std::uint16_t port, const char* prefix, const char* offered,
                          std::int64_t timeout, char* out, std::size_t size) {
  return guard([&] {
    const Store store = open_store(host, port, false, std::nullopt, Milliseconds(timeout), prefix);
    const std::string found = store->compareSet("launch", std::string(), std::string(offered));
    TORCH_CHECK(found.size() < size, "the name of the launch is too long");
    std::copy(found.begin(), found.end(), out);
    out[found.size()] = 0;
    return OK;
  });
}

// Meets the other processes at a store, which the process that serves it opens; waits until all have come. A store that
// is silent is waited for forever.
int seg_torch_group_meet(const char* host, std::uint16_t port, int serves, int rank, int world, const char* prefix,
                         std::int64_t timeout, Group** out) {
  return guard([&]() -> int {
    const auto deadline = Clock::now() + Milliseconds(timeout);
    const Store store = open_store(host, port, serves != 0, world, Milliseconds(timeout), prefix);
    const auto here = [](int number) { return "here/" + std::to_string(number); };
    store->set(here(rank), std::vector<std::uint8_t>{1});
    std::string missing;
    for (int other = 0; other < world; ++other) {
      try {
        store->wait({here(other)}, until(deadline));
      } catch (const std::exception&) {
        // The one whose store it is may be gone itself, which this call tells.
        if (!store->check({here(other)})) missing += (missing.empty() ? "" : ", ") + std::to_string(other);
      }
    }
    if (!missing.empty()) {
      last_error = missing;
      return MISSING;
    }
    *out = new Group{store, rank, world, Milliseconds(timeout), deadline, {}, {}};
    return OK;
  });
}

// Connects every process with every other, by way of an interface or an address of this machine.
int seg_torch_group_connect(Group* group, const char* interface, const char* address) {
  return guard([&] {
    const auto connect = [&](const char* name, const char* gloo_name) {
      ProcessGroup made = empty_group(*group, name);
      made->setBackend(c10::DeviceType::CPU, c10d::ProcessGroup::BackendType::GLOO,
                       gloo_backend(*group, gloo_name, interface, address));
      made->setGroupName(name);
      return made;
    };
    group->main = connect("main", "main-gloo");
    group->within = connect("within", "within-gloo");
    return OK;
  });
}

// The same for CUDA devices, by the plug-in library with NCCL (nccl.cpp); CUDA's part of libtorch is loaded.
int seg_torch_group_connect_cuda(Group* group, const char* library, int device) {
  return guard([&]() -> int {
    void* opened = dlopen(library, RTLD_NOW | RTLD_LOCAL);
    if (opened == nullptr) {
      const char* reason = dlerror();
      last_error = reason == nullptr ? "the system gave no reason" : reason;
      return FAILED;
    }
    using Make = int (*)(const Store*, int, int, int, std::int64_t, Backend*, std::string*);
    auto make = reinterpret_cast<Make>(dlsym(opened, "seg_torch_nccl"));
    TORCH_CHECK(make != nullptr, "it has no function seg_torch_nccl");
    for (const auto& [way, name] : {std::pair{group->main, "main-nccl"}, std::pair{group->within, "within-nccl"}}) {
      const Store store = named(*group, name);
      Backend made;
      std::string reason;
      TORCH_CHECK(make(&store, group->rank, group->world, device, group->timeout.count(), &made, &reason) == 0, reason);
      way->setBackend(c10::DeviceType::CUDA, c10d::ProcessGroup::BackendType::NCCL, made);
    }
    return OK;
  });
}

int seg_torch_group_free(Group* group) { return take_apart(group); }

// Changes the tensor to the sum (0), the largest (1) or the smallest (2) of all processes.
int seg_torch_group_all_reduce(Group* group, at::Tensor* tensor, int operation) {
  return guard([&] {
    constexpr c10d::ReduceOp::RedOpType operations[] = {c10d::ReduceOp::SUM, c10d::ReduceOp::MAX, c10d::ReduceOp::MIN};
    sum(group->main, *tensor, operations[operation]);
    return OK;
  });
}

// Changes the tensor to that of one process.
int seg_torch_group_broadcast(Group* group, at::Tensor* tensor, int from) {
  return guard([&] {
    at::NoGradGuard no_grad;
    at::Tensor dense = tensor->detach().contiguous();
    std::vector<at::Tensor> tensors{dense};
    c10d::BroadcastOptions options;
    options.rootRank = from;
    backend(group->main, dense)->broadcast(tensors, options)->wait();
    if (!dense.is_same(*tensor)) tensor->detach().copy_(dense);
    return OK;
  });
}

// The tensors of all processes, which have one shape, one after another: (...) to (world, ...).
int seg_torch_group_all_gather(Group* group, const at::Tensor* tensor, at::Tensor** out) {
  return guard([&] {
    at::NoGradGuard no_grad;
    at::Tensor dense = tensor->detach().contiguous();
    std::vector<std::int64_t> shape = dense.sizes().vec();
    shape.insert(shape.begin(), group->world);
    at::Tensor all = at::empty(shape, dense.options());
    std::vector<at::Tensor> inputs{dense};
    std::vector<std::vector<at::Tensor>> outputs{all.unbind(0)};
    backend(group->main, dense)->allgather(outputs, inputs)->wait();
    *out = new at::Tensor(all);
    return OK;
  });
}

int seg_torch_group_barrier(Group* group) {
  return guard([&] {
    group->main->getBackend(c10::DeviceType::CPU)->barrier()->wait();
    return OK;
  });
}

// DDP's reducer: hooks itself to the gradients of these weights, which are made equal to the first process's.
int seg_torch_reducer_new(Group* group, at::Tensor* const* weights, std::size_t count, Reducer** out) {
  return guard([&] {
    std::vector<at::Tensor> parameters;
    for (std::size_t i = 0; i < count; ++i) parameters.push_back(*weights[i]);
    c10d::verify_params_across_processes(group->main, parameters, std::nullopt);
    {
      at::NoGradGuard no_grad;
      std::vector<at::Tensor> values;
      for (const at::Tensor& parameter : parameters) values.push_back(parameter.detach());
      c10d::broadcast_coalesced(group->main, values, BUCKET);
    }
    const std::vector<bool> dense(count, false);
    auto [buckets, limits] = c10d::compute_bucket_assignment_by_size(parameters, {FIRST_BUCKET, BUCKET}, dense);
    // Gradients become ready from the last layer to the first.
    std::reverse(buckets.begin(), buckets.end());
    std::reverse(limits.begin(), limits.end());
    // A weight that nothing depends on in a step would be waited for forever; a gradient that is a view of a bucket
    // could not be taken away after the step.
    auto inner = std::make_unique<c10d::Reducer>(
        parameters, buckets, group->main, dense, static_cast<std::int64_t>(BUCKET), /*find_unused_parameters=*/true,
        /*gradient_as_bucket_view=*/false, std::unordered_map<std::size_t, std::string>(),
        static_cast<std::int64_t>(FIRST_BUCKET), /*skip_all_reduce_unused_params=*/false,
        /*use_python_reducer=*/false, std::vector<std::int64_t>());
    *out = new Reducer{std::move(inner), Clock::now()};
    return OK;
  });
}

// To be called before the backward pass that is to average what has gathered in the gradients.
int seg_torch_reducer_prepare(Reducer* reducer, const at::Tensor* loss) {
  return guard([&] {
    reducer->prepared = Clock::now();
    reducer->inner->prepare_for_backward({*loss});
    return OK;
  });
}

// Nanoseconds from when the last gradient of this process was ready until now: what averaging made it wait.
std::int64_t seg_torch_reducer_waited(const Reducer* reducer) {
  const std::int64_t passed =
      std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now() - reducer->prepared).count();
  const std::vector<std::int64_t> ready = reducer->inner->get_backward_stats();
  const auto last = std::max_element(ready.begin(), ready.end());
  return last == ready.end() ? 0 : std::max<std::int64_t>(0, passed - *last);
}

int seg_torch_reducer_free(Reducer* reducer) { return take_apart(reducer); }

// Adds gradients of a loss to those of the weights that it was computed from.
int seg_torch_backward(const at::Tensor* loss) {
  return guard([&] {
    loss->backward();
    return OK;
  });
}

// Leaves weights without gradients.
int seg_torch_clear_gradients(at::Tensor* const* weights, std::size_t count) {
  return guard([&] {
    for (std::size_t i = 0; i < count; ++i) weights[i]->mutable_grad().reset();
    return OK;
  });
}

// A batch norm over the batches of all processes: (B, C, H, W) to the same. The running statistics follow.
int seg_torch_joint_batch_norm(Group* group, const at::Tensor* input, const at::Tensor* weight, const at::Tensor* bias,
                               at::Tensor* running_mean, at::Tensor* running_var, double momentum, double eps,
                               at::Tensor** out) {
  return guard([&] {
    const auto of = reinterpret_cast<std::int64_t>(group);
    const at::Tensor values = input->to(at::kFloat);
    const at::Tensor own = at::full({1}, static_cast<double>(values.numel() / values.size(1)), values.options());
    // One message for both: the sums of the channels and the number of values.
    const at::Tensor sums = Summed::apply(at::cat({values.sum({0, 2, 3}), own}), of);  // (C + 1)
    const at::Tensor count = sums.narrow(0, values.size(1), 1).detach();
    const auto spread = [](const at::Tensor& channels) { return channels.view({1, -1, 1, 1}); };
    const at::Tensor mean = sums.narrow(0, 0, values.size(1)) / count;
    const at::Tensor centered = values - spread(mean);
    const at::Tensor variance = Summed::apply(centered.square().sum({0, 2, 3}), of) / count;  // (C)
    {
      at::NoGradGuard no_grad;
      running_mean->lerp_(mean.detach(), momentum);
      running_var->lerp_(variance.detach() * (count / (count - 1)), momentum);
    }
    const at::Tensor scale = at::rsqrt(variance + eps) * *weight;
    *out = new at::Tensor((centered * spread(scale) + spread(*bias)).to(input->scalar_type()));
    return OK;
  });
}

}  // extern "C"
