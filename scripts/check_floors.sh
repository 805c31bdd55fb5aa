#!/usr/bin/env bash
# Each floor includes only what is below it:
# base -> kernels/gpu -> kernels -> engine -> models, data -> segmentation -> apps. oneDNN and CUDA stay in their corners.
set -uo pipefail
cd "$(dirname "$0")/.."
failed=0

# forbid WHERE… -- REGEX MESSAGE [EXCEPT]
forbid() {
    local where=()
    while [ "$1" != "--" ]; do where+=("$1"); shift; done
    local hits
    hits=$(grep -rnE --include='*.h' --include='*.cpp' --include='*.cu' --include='*.cuh' "$2" "${where[@]}" 2>/dev/null | grep -vE "${4:-^$}")
    [ -z "$hits" ] && return
    failed=1
    printf '%s\n%s\n' "floors: $3:" "$hits" >&2
}

forbid base -- '#include "(kernels|engine|models|data|segmentation|apps)/' "base includes nothing above it"
forbid kernels/gpu -- '#include "(kernels/(cpu|cuda|reference|[a-z_]+\.h)|engine|models|data|segmentation|apps)' "kernels/gpu includes only base"
forbid kernels -- '#include "(engine|models|data|segmentation|apps)/' "kernels know no tensor"
forbid engine -- '#include "(models|data|segmentation|apps)/' "the engine includes neither models nor data nor apps"
forbid engine/autograd -- '#include "engine/(ops|nn|optim|io|train)/' "autograd is below ops"
forbid engine/ops -- '#include "engine/(nn|optim|io|train)/' "ops are below nn"
forbid engine/nn -- '#include "engine/(optim|io|train)/' "nn is below optim, io and train"
forbid engine/optim -- '#include "engine/(io|train)/' "optim is below train"
forbid engine/comm -- '#include "engine/[^c]' "ranks know no tensor"
forbid models -- '#include "(data|segmentation|apps)/' "models never meet data"
forbid data -- '#include "(models|segmentation|apps)/' "data never meets models"
forbid data -- '#include "(engine|kernels)/' "of engine and kernels, data knows batches and samples alone" \
    '"(engine/host_batch|kernels/augmented_sample)\.h"'
forbid segmentation -- '#include "apps/' "the workflow does not include the program"
forbid base kernels engine models data segmentation -- '#include "(benchmarks|tests)/' "the product does not include its tests and benchmarks"
forbid benchmarks/harness benchmarks/cases -- '#include "(apps|data)/' "benchmarks are below apps and never meet data"
forbid benchmarks apps -- '#include "tests/' "the program does not include its tests"
forbid base kernels/gpu kernels/reference kernels/cuda engine models data segmentation apps -- 'dnnl\.hpp' "oneDNN appears in kernels/cpu alone"
forbid base kernels/cpu kernels/reference kernels/cuda kernels/gpu/emu engine models data segmentation apps tests -- '#include <cu(da|dnn|blas)|asm volatile|__CUDACC__' \
    "CUDA's headers and assembly appear in kernels/gpu/cuda alone"
forbid base kernels engine models data segmentation -- '"[^"]*(^|[^-a-z`])--[a-z]' "messages below apps name settings, not flags"
# A reader that ends early breaks its writer's pipe now and then, and pipefail makes that an error. Where the script fails anyway: "head -N; exit 1".
broken_pipes=$(grep -nE "[^|]\\| *(head|grep -[a-zA-Z]*[qm])|[^|]\\| *awk .*[{;] *exit *\\}" scripts/*.sh scripts/gpu-check/*.sh | grep -vE 'head -[0-9]+; exit 1|^scripts/check_floors.sh')
if [ -n "$broken_pipes" ]; then
    failed=1
    printf '%s\n%s\n' "floors: a pipe into a reader that ends early (sed -n 1p reads on):" "$broken_pipes" >&2
fi
[ $failed = 0 ] && echo "floors: in order"
exit $failed
