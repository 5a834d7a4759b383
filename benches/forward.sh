#!/usr/bin/env bash
# Seconds of a forward pass of BEMSeg on CLIP's RN50, beside another program that prints "median SECONDS s":
#   benches/forward.sh ROUNDS f32|bf16 COMMAND...
# such as PyTorch's eager mode on the same modules and image size. Both run in turns, ROUNDS times each.
set -euo pipefail
ROUNDS=$1 PRECISION=$2
shift 2
cd "$(dirname "$0")/.."
WORK=$(mktemp -d)
trap 'rm -r "$WORK"' EXIT

middle() { sort -g | awk '{ a[NR] = $1 } END { print (a[int((NR + 1) / 2)] + a[int(NR / 2) + 1]) / 2 }'; }
seconds() { sed -n 's/.*median \([0-9.]*\) s.*/\1/p'; }

cargo bench -q -p seg-nn --bench forward --no-run
for round in $(seq "$ROUNDS"); do
  cargo bench -q -p seg-nn --bench forward -- --precision "$PRECISION" | seconds >>"$WORK/own"
  "$@" | seconds >>"$WORK/other"
  echo "round $round: rs-seg $(tail -n 1 "$WORK/own") s, the other $(tail -n 1 "$WORK/other") s"
done
own=$(middle <"$WORK/own") other=$(middle <"$WORK/other")
echo "medians: rs-seg $own s, the other $other s, ratio $(awk "BEGIN { print $own / $other }")"
