# The first call: what is right, then the steps of both sides. Read by gpu-check.sh.

environment() {
    local command rc=0
    for command in "nvidia-smi" "nvidia-smi --query-gpu=name,driver_version,clocks.sm,clocks.mem,power.limit,temperature.gpu --format=csv" \
        "$bin/atrous devices" "uname -a" "ldd $bin/atrous" "lscpu" "head -3 /proc/meminfo" "python3 --version"; do
        echo "== $command"
        timeout 15 $command 2>&1 || { rc=$?; echo "== ended with $rc"; }
    done
    timeout 20 python3 -c 'import torch; print(torch.__version__, torch.version.cuda, torch.backends.cudnn.version())' 2>&1
    [ "$dry" = yes ] || grep -q '^ *cuda:0' <<<"$("$bin/atrous" devices 2>/dev/null)" || echo "no usable GPU was found"
    return $rc
}
# curve PRECISION FLAGS…: a training on the GPU beside the cpu's of tests/gpu/curves, which took the same samples.
curve() {
    local precision=$1 run=$runs/$1 truth=$here/tests/gpu/curves/dsb2018 device=cuda
    shift
    if [ "$dry" = yes ]; then truth=$run device=emulated; fi
    "$bin/atrous" train --data "$data" --base-channels "${dry_base:-16}" --size "${dry_size:-128}" --batch-size 8 --lr 1e-3 \
        --epochs "${dry_epochs:-4}" --vflip 0.5 --seed 0 --device $device --precision "$precision" --threads 4 --output-dir "$run" $kernels &&
        cp "$run/metrics.csv" "$logs/curve_$precision.csv" &&
        python3 "$here/benchmarks/compare_curves.py" "$run" "$truth" "$@"
}
export -f environment curve
export kernels dry

part environment 40 bash -c environment

together "part smoke_kernels 25 $bin/test_kernels --gtest_filter='PointwiseCuda.Activations:ConvCudaTiles.*'" \
    "part smoke_cases 25 $bin/test_cases --gtest_filter='*_exact_gpu_*'" \
    "part smoke_engine 25 $bin/test_engine --gtest_filter='*TensorTest*gpu*'" \
    "part smoke_models 25 $bin/test_models --gtest_filter=TrainingTest.GpuKernelsFollowTheCpu" \
    "part smoke_apps 25 $bin/test_apps --gtest_filter='ProgramTest.TrainsEvaluatesAndPredicts'"

# Cores and GPU are shared here and nothing is timed. PyTorch compiles meanwhile: its measured run finds that in its cache.
export OMP_NUM_THREADS=$((cores / 8 + 1))
parts=("part full_size_check 100 $bin/full_size_check" "part full_size_check_f16 100 $bin/full_size_check --f16"
    "part full_size_check_tf32 100 $bin/full_size_check --tf32"
    "part tests_cudnn 100 $bin/test_kernels --gtest_filter='*ConvByCudnn*:CudnnOnThisGpu*'"
    "part tests_kernels 100 $bin/test_kernels --gtest_filter='-*ConvByCudnn*:CudnnOnThisGpu*'"
    "part tests_engine 100 $bin/test_engine"
    "part curve_fp32 100 bash -c 'curve fp32'" "part curve_tf32 100 bash -c 'curve tf32'"
    "part curve_bf16 100 bash -c 'curve bf16 --first-loss 0.05 --loss 0.1'"
    "part curve_fp16 100 bash -c 'curve fp16 --first-loss 0.05 --loss 0.1'"
    "part peer_compile 100 python3 $here/benchmarks/peers/gpu_steps.py --budget-s 95 --workloads unet deeplabv3_resnet50 \
--variants compile_bf16 --warmup 1 --steps 1")
for share in 0 1 2 3; do
    parts+=("part tests_cases_$share 100 env GTEST_TOTAL_SHARDS=4 GTEST_SHARD_INDEX=$share $bin/test_cases")
done
for share in 0 1 2; do
    parts+=("part tests_models_$share 100 env GTEST_TOTAL_SHARDS=3 GTEST_SHARD_INDEX=$share $bin/test_models")
done
together "${parts[@]}"
unset OMP_NUM_THREADS
# cuDNN's description of this card, which goes into tests/gpu/devices.
python3 - "$logs/tests_cudnn.log" "$out/this-gpu.json" 2>/dev/null <<'PYTHON' || true
import json, sys
text = open(sys.argv[1]).read()
begin = text.index("\n{") + 1
end = begin + json.JSONDecoder().raw_decode(text[begin:])[1]
open(sys.argv[2], "w").write(text[begin:end] + "\n")
PYTHON

# Time: one program at a time; ours, theirs, ours.
for workload in $workloads; do
    part step_$workload 15 $step $(net $workload) --precision bf16 --steps 20
done
# Our own kernels beside what --kernels auto takes, which is cuDNN for most convolutions.
for workload in unet deeplabv3_resnet50; do
    part step_${workload}_own 15 $step $(net $workload) --precision bf16 --steps 10 --kernels own
done
part step_unet_no_graphs 12 $step $(net unet) --precision bf16 --steps 10 --no-graphs
part step_unet_tf32 12 $step $(net unet) --precision tf32 --steps 10
part step_unet_fp32 15 $step $(net unet) --precision fp32 --steps 2 --no-graphs
peers="python3 $here/benchmarks/peers/gpu_steps.py"
limit=$(within 70 70)
part peer_compiled "$limit" $peers --budget-s $((limit - 8)) --workloads unet deeplabv3_resnet50 --variants compile_bf16 \
    --out "$logs/peer_compiled.jsonl"
limit=$(within 70 35)
part peer_eager "$limit" $peers --budget-s $((limit - 8)) --workloads $workloads --variants eager_bf16 --out "$logs/peer_eager.jsonl"
for workload in unet deeplabv3_resnet50; do
    part step_${workload}_again 12 $step $(net $workload) --precision bf16 --steps 20
done
part table 10 python3 "$here/benchmarks/peers/gpu_table.py" "$logs"
