# What the scripts that take libtorch out of pip's wheels share; sourced with the name of the caller in $NAME.
# shellcheck shell=bash

TORCH_VERSION=2.13.0
# Wheels and their checksums; the last two hold the two CUDA libraries that libtorch_cpu.so needs.
TORCH_WHEEL=torch==2.13.0\ --hash=sha256:60fcdcb2f3876e21146cb4524ef06397d727ca9ad5f020818547e25075fe3cb7
CUPTI_WHEEL=nvidia-cuda-cupti==13.0.85\ --hash=sha256:4eb01c08e859bf924d222250d2e8f8b8ff6d3db4721288cf35d14252a4d933c8
CUDART_WHEEL=nvidia-cuda-runtime==13.0.96\ --hash=sha256:7f82250d7782aa23b6cfe765ecc7db554bd3c2870c43f3d1821f1d18aebf0548
# The system's own, which python3-venv belongs to.
PYTHON=/usr/bin/python3
[ -x "$PYTHON" ] || PYTHON=python3

say() { printf '%s: %s\n' "$NAME" "$*" >&2; }
fail() { printf 'error: %s\nhint: %s\n' "$1" "$2" >&2; exit 1; }

# On other platforms $1 is what to do.
check_platform() {
  local platform
  platform="$(uname -s) $(uname -m)"
  [ "$platform" = "Linux x86_64" ] || fail "$NAME knows Linux x86_64 only, this is $platform" "$1"
}

# The wheels of list $2 to folder $1, by a pip of our own: Debian's refuses to work outside of a virtual environment.
download() {
  local folder=$1 wheels=$2
  "$PYTHON" -m venv "$folder/venv" || fail "python3 cannot make a virtual environment" "install python3-venv"
  printf '%s\n' "$wheels" >"$folder/wheels.txt"
  "$folder/venv/bin/python" -m pip download --quiet --disable-pip-version-check --no-cache-dir --progress-bar off \
    --no-deps --only-binary=:all: --implementation cp --python-version 3.11 --abi cp311 --abi none \
    --platform manylinux_2_28_x86_64 --platform manylinux_2_27_x86_64 --platform manylinux_2_25_x86_64 \
    --platform manylinux_2_18_x86_64 --platform manylinux_2_17_x86_64 --platform manylinux_2_12_x86_64 \
    --platform manylinux2014_x86_64 --platform manylinux2010_x86_64 \
    --require-hashes -r "$folder/wheels.txt" -d "$folder"
}
