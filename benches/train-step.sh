#!/usr/bin/env bash
# Seconds of a training step of BEMSeg on CLIP's RN50, beside another program that prints "median SECONDS s":
#   benches/train-step.sh ROUNDS COMMAND...
# such as PyTorch's eager mode on the same modules, batch and image size. Both run in turns, ROUNDS times each.
set -euo pipefail
ROUNDS=$1
shift
HERE=$(cd "$(dirname "$0")/.." && pwd)
RS_SEG=${RS_SEG:-$HERE/target/release/rs-seg}
STEPS=4
WORK=$(mktemp -d)
trap 'rm -r "$WORK"' EXIT

middle() { sort -g | awk '{ a[NR] = $1 } END { print (a[int((NR + 1) / 2)] + a[int(NR / 2) + 1]) / 2 }'; }

"$RS_SEG" -q tile "$HERE/examples/data/haiti.tif" --labels "$HERE/examples/data/haiti-truth-by-eye.geojson" \
  --label-attribute kind --legend dubai --size 512 --split train=1,val=0,test=0 --out "$WORK/chips" >/dev/null
for round in $(seq "$ROUNDS"); do
  "$RS_SEG" -q train --config "$HERE/configs/bemseg-rn50-potsdam.toml" --legend dubai --data "$WORK/chips" \
    --out "$WORK/run" --overwrite --threads 2 --set 'data.bands=[3,2,1]' --set data.absent-classes=allow \
    --set train.batch=1 --set train.validate-every=0 --set train.log-every=1 --set train.steps=$((STEPS + 1)) \
    --set train.checkpoint-every=1000 --set schedule.warmup-steps=1 >/dev/null
  # The first step makes what later ones keep.
  sed -n 's/.*"samples-per-second":\([0-9.e-]*\).*/\1/p' "$WORK/run/metrics.jsonl" | tail -n "$STEPS" |
    awk '{ print 1 / $1 }' | middle >>"$WORK/own"
  "$@" | sed -n 's/.*median \([0-9.]*\) s.*/\1/p' >>"$WORK/other"
  echo "round $round: rs-seg $(tail -n 1 "$WORK/own") s, the other $(tail -n 1 "$WORK/other") s"
done
own=$(middle <"$WORK/own") other=$(middle <"$WORK/other")
echo "medians: rs-seg $own s, the other $other s, ratio $(awk "BEGIN { print $own / $other }")"
