#!/usr/bin/env bash
# Trains the network that comes with rs-seg, from the public scenes to the file in src/network.
#   examples/train-embedded.sh DUBAI WORK
# DUBAI holds images/tileT_partPPP.jpg and labels/tileT_partPPP.png of "Semantic segmentation of aerial
# imagery" (Humans in the Loop with MBRSC, CC0); WORK gets everything that is made. An interrupted training
# goes on when the script is started again. It needs some hours on two cores; examples/embedded-model.md tells
# what came out.
set -euo pipefail
DUBAI=$1 WORK=$2
HERE=$(cd "$(dirname "$0")/.." && pwd)
RS_SEG=${RS_SEG:-$HERE/target/release/rs-seg}
# What learns, what chooses between checkpoints, and what is looked at only once. Scenes 1 and 3 share ground.
SPLIT='(?<test>scene5)|(?<val>scene2)|(?<train>scene)'

# The nine parts of a scene, row by row, become one raster again.
mosaic() {
  local kind=$1 ending=$2 scene=$3 part file size width height x=0 y=0 parts=() expand
  for part in 1 2 3 4 5 6 7 8 9; do
    file=$(printf '%s/%s/tile%s_part%03d.%s' "$DUBAI" "$kind" "$scene" "$part" "$ending")
    size=$(gdalinfo -nomd -noct "$file" | sed -n 's/^Size is \([0-9]*\), \([0-9]*\)$/\1 \2/p')
    read -r width height <<<"$size"
    # One scene's labels have a palette.
    expand=()
    if gdalinfo "$file" | grep -q 'ColorInterp=Palette'; then expand=(-expand rgb); fi
    gdal_translate -q "${expand[@]}" -a_ullr "$x" "-$y" $((x + width)) "-$((y + height))" "$file" \
      "$WORK/parts/$kind-$scene-$part.tif"
    parts+=("$WORK/parts/$kind-$scene-$part.tif")
    x=$((x + width))
    if [ $((part % 3)) = 0 ]; then x=0 y=$((y + height)); fi
  done
  gdalbuildvrt -q -overwrite -tr 1 1 "$WORK/parts/$kind-$scene.vrt" "${parts[@]}"
  gdal_translate -q -co COMPRESS=DEFLATE -co TILED=YES "$WORK/parts/$kind-$scene.vrt" "$WORK/$kind/scene$scene.tif"
}

if [ ! -f "$WORK/chips/manifest.jsonl" ]; then
  mkdir -p "$WORK"/{parts,images,labels}
  for scene in 1 2 3 5 6 7; do
    mosaic images jpg "$scene"
    mosaic labels png "$scene"
  done
  rm -r "$WORK/parts"
  "$RS_SEG" tile "$WORK"/images/*.tif --labels "$WORK/labels" --legend dubai --size 1024 --overlap 256 \
    --split-by "$SPLIT" --buffer 0 --out "$WORK/chips"
fi

# The weights depend on the number of threads in their last bits.
if [ -f "$WORK/run/last.safetensors" ]; then
  "$RS_SEG" train --resume --out "$WORK/run" --threads 2
else
  "$RS_SEG" train --config "$HERE/configs/bemseg-small.toml" --data "$WORK/chips" --out "$WORK/run" --threads 2
fi
"$RS_SEG" model pack "$WORK/run/last.safetensors" --keep-text-tower --overwrite --out "$WORK/bemseg-small.safetensors"

for scene in 2 5; do
  "$RS_SEG" infer "$WORK/images/scene$scene.tif" --model "$WORK/bemseg-small.safetensors" \
    --out "$WORK/classes$scene.tif" --preview "$WORK/preview$scene.png" --overwrite --discard
  "$RS_SEG" eval --pred "$WORK/classes$scene.tif" --truth "$WORK/labels/scene$scene.tif" --legend dubai
done
