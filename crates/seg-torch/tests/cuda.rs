//! Loading libtorch's CUDA part: one test in a process of its own, for it has to come first.
#![expect(clippy::print_stderr, reason = "tests say what they skipped")]

use seg_torch::{
    CudaLoad, CudaWish, build_info, cuda_device_count, cuda_versions, devices, find_cuda, load_cuda,
};

#[test]
fn the_cuda_part_is_loaded_where_it_is_and_tells_its_versions() {
    let Some(found) = find_cuda().unwrap().found else {
        eprintln!("skipped: there is no libtorch with CUDA here (make setup-cuda gets it)");
        assert!(matches!(load_cuda(CudaWish::Always).unwrap(), CudaLoad::NotFound(_)));
        assert_eq!((cuda_versions(), cuda_device_count()), (None, 0));
        return;
    };
    assert_eq!(load_cuda(CudaWish::Always).unwrap(), CudaLoad::Loaded(found.clone()));
    assert_eq!(load_cuda(CudaWish::WithGpu).unwrap(), CudaLoad::Loaded(found.clone()));
    let versions = cuda_versions().unwrap();
    assert!(versions.runtime >= 12_000 && versions.cudnn >= 90_000, "{versions:?}");
    assert!(found.version.starts_with(&build_info().version), "{found:?}");
    // A GPU is usable, or libtorch says why there is none.
    let devices = devices(&CudaLoad::Loaded(found));
    assert!(
        devices.len() >= 2 && devices.iter().all(|device| device.usable == device.why.is_none()),
        "{devices:?}"
    );
    assert!(
        cuda_device_count() > 0 || devices[1].why.as_ref().is_some_and(|why| why.contains("NVIDIA")),
        "{devices:?}"
    );
}
