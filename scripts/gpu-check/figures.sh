# The second call: where the time goes. Read by gpu-check.sh.

part kernels 35 "$bin/kernel_times"
part kernels_own 15 "$bin/kernel_times" --only conv --reps 5 --kernels own
limit=$(within 60 110)
part peer_kernels "$limit" python3 "$here/benchmarks/peers/gpu_kernels.py" --budget-s $((limit - 6)) --out "$logs/peer_kernels.jsonl"
# Every convolution at full size: our own kernel beside cuDNN.
part layers_cudnn 15 "$bin/full_size_check" --reps 5
# Every plan and kernel of every layer, and the step with the fastest of each.
part tune_unet 40 "$bin/atrous" tune $(net unet) --precision bf16 --device cuda --tune-budget 25 --tune-file "$logs/kernels.json" \
    --json "$logs/tune_unet.jsonl"
part step_unet_tuned 15 $step $(net unet) --precision bf16 --steps 20 --tune on --tune-file "$logs/kernels.json"
# Memory like for like: the most that tensors and scratch memory take, and what the allocators have got from the driver.
memory=("part peer_memory 30 python3 $here/benchmarks/peers/gpu_steps.py --budget-s 28 --workloads unet deeplabv3_resnet50 \
--variants eager_bf16 --warmup 3 --steps 2 --out $logs/peer_memory.jsonl")
for workload in unet deeplabv3_resnet50; do
    memory+=("part memory_$workload 30 $step $(net $workload) --precision bf16 --steps 2")
done
together "${memory[@]}"
part table 10 python3 "$here/benchmarks/peers/gpu_table.py" "$logs"

# A tool makes a kernel tens to hundreds of times slower: small nets, each tool by itself.
small="$step --base-channels 16 --depth 3 --size 64 --batch-size 2 --precision bf16 --steps 1"
atrous="$step --model deeplabv3 --encoder resnet18 --classes 5 --size 65 --batch-size 2 --precision bf16 --steps 1"
sanitizers=()
for tool in memcheck racecheck initcheck synccheck; do
    checked="compute-sanitizer --tool $tool --error-exitcode 66 --print-limit 20"
    sanitizers+=("part ${tool}_step 40 $checked $small --no-graphs" "part ${tool}_atrous 40 $checked $atrous --no-graphs")
done
for tool in memcheck racecheck; do
    sanitizers+=("part ${tool}_replay 40 compute-sanitizer --tool $tool --error-exitcode 66 --print-limit 20 $small --graphs")
done
export OMP_NUM_THREADS=1
together "${sanitizers[@]}"
unset OMP_NUM_THREADS

counted="ncu --clock-control none --section SpeedOfLight --section Occupancy --section LaunchStats --section MemoryWorkloadAnalysis"
part counters_conv 20 $counted --kernel-name regex:implicit_gemm\|wgrad_gemm --launch-count 9 \
    "$bin/kernel_times" --only conv3x3_128_128_256 --reps 1 --kernels own
part counters_norm 15 $counted --kernel-name regex:batch_statistics\|apply_norm\|gradient_sums\|input_gradient --launch-count 12 \
    "$bin/kernel_times" --only batch_norm --reps 1

# Every op of a step against the ceilings; the log grows by a line an op.
for workload in unet deeplabv3_resnet50; do
    part layers_$workload 25 "$bin/atrous" bench kernels $(net $workload) --precision bf16 --device cuda $kernels --unchecked \
        --repetitions 8 --budget 0.05 --json "$logs/layers_$workload.jsonl" --svg "$logs/layers_$workload.svg"
done
