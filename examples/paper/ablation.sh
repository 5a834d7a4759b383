#!/usr/bin/env bash
# The four networks of the paper's ablation, small enough for a processor: each from the same first weights, with
# several seeds, on chips whose split "val" judges.
#   examples/paper/ablation.sh CHIPS WORK [SEEDS] [STEPS]
# CHIPS is a folder that `rs-seg tile` made with the classes of configs/bemseg-small.toml; WORK gets a folder for
# each network and seed, and the table. What was interrupted goes on when the script is started again.
set -euo pipefail
CHIPS=$1 WORK=$2 SEEDS=${3:-0,1,2} STEPS=${4:-1500}
HERE=$(cd "$(dirname "$0")/../.." && pwd)
RS_SEG=${RS_SEG:-$HERE/target/release/rs-seg}

declare -A CHANGE=(
  [baseline]='model.fusion.kind="none" loss.cpc-weight=0'
  [bemseg-b]='model.fusion.kind="both" loss.cpc-weight=0'
  [bemseg-c]='model.fusion.kind="none" loss.cpc-weight=0.2'
  [bemseg]='model.fusion.kind="both" loss.cpc-weight=0.2'
)
NAMES=(baseline bemseg-b bemseg-c bemseg)

mkdir -p "$WORK"
# Seed by seed, so that every table on the way is one of whole rounds.
for seed in ${SEEDS//,/ }; do
  for name in "${NAMES[@]}"; do
    out=$WORK/$name-seed-$seed
    [ ! -f "$out.done" ] || continue
    changes=()
    for change in ${CHANGE[$name]}; do changes+=(--set "$change"); done
    "$RS_SEG" -q train --config "$HERE/configs/bemseg-small.toml" --data "$CHIPS" --out "$out" --threads 1 --resume \
      "${changes[@]}" --set train.seed="$seed" --set train.steps="$STEPS" --set train.crop-px=256 \
      --set train.validate-every=250 --set schedule.warmup-steps=100
    touch "$out.done"
  done
done

# The last validation of each, and mean and spread over seeds.
python3 - "$WORK" "$SEEDS" "${NAMES[@]}" <<'PYTHON' | tee "$WORK/table.md"
import json, pathlib, statistics, sys

work, seeds, names = pathlib.Path(sys.argv[1]), sys.argv[2].split(","), sys.argv[3:]
print("| network | mIoU by seed | mean | standard deviation | at half of the steps | OA, mean |")
print("|---|---|---|---|---|---|")
for name in names:
    runs = []
    for seed in seeds:
        lines = (work / f"{name}-seed-{seed}" / "metrics.jsonl").read_text().splitlines()
        runs.append([entry for entry in map(json.loads, lines) if entry["event"] == "validation"])
    last, half = [run[-1] for run in runs], [run[len(run) // 2 - 1] for run in runs]
    mious = [entry["miou"] for entry in last]
    spread = statistics.stdev(mious) if len(mious) > 1 else float("nan")
    print(f"| {name} | {', '.join(f'{miou:.3f}' for miou in mious)} | {statistics.mean(mious):.3f} | {spread:.3f} "
          f"| {statistics.mean(entry['miou'] for entry in half):.3f} | {statistics.mean(entry['oa'] for entry in last):.3f} |")
PYTHON
