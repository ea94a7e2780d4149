#!/usr/bin/env bash
# Measures monomorph and every library it is compared with, on one core of this machine, and writes
# benches/RESULTS.md and results.svg.
#
#   benches/peers/run.sh               everything: 12 minutes, plus 20 the first time, to build and install
#   benches/peers/run.sh --quick       shorter measurements, the table only
#   benches/peers/run.sh --only rust   monomorph and the Rust libraries; also: python, cpp
#
# Needs cargo, python3 with venv, taskset (util-linux), and g++ for RLtools, RTNeural and PyTorch's compiler.
# Python packages go into a virtual environment under target/; PyTorch's take about 6 GB, a tenth of that
# if PIP_EXTRA_INDEX_URL names PyTorch's index of CPU packages. CORE=n selects the core. RTNeural's headers
# come from Debian's source package of guitarix, an 80 MB download; elsewhere set RTNEURAL to their folder.
set -euo pipefail
cd "$(dirname "$0")"

quick='' only=all
while (($#)); do
    case $1 in
        --quick) quick=--quick ;;
        --only) only=${2:?--only needs one of rust, python, cpp}; shift ;;
        *) sed -n '2,/^set/s/^# \?//p' "$0" | sed '$d'; exit 2 ;;
    esac
    shift
done
[[ $only =~ ^(all|rust|python|cpp)$ ]] || { echo "--only takes rust, python or cpp, not $only" >&2; exit 2; }

say() { printf '\n== %s\n' "$*" >&2; }
wants() { [[ $only == all || $only == "$1" ]]; }
for tool in cargo python3 taskset; do
    command -v $tool >/dev/null || { echo "run.sh needs $tool; install it and start again" >&2; exit 1; }
done

core=${CORE:-$(($(nproc) - 1))}
target=${CARGO_TARGET_DIR:-$PWD/target}
peers=$target/release/peers networks=$target/peers-networks venv=$target/peers-venv
results=$target/peers-results.jsonl log=$target/peers.log
python=$venv/bin/python
mkdir -p "$target"
: >"$results"
: >"$log"

# One thread for every library.
export RAYON_NUM_THREADS=1 OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 MKL_THREADING_LAYER=SEQUENTIAL
export XLA_FLAGS='--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1'
export JAX_PLATFORMS=cpu CUDA_VISIBLE_DEVICES= PYTHONWARNINGS=ignore

skipped() { # NAME REASON: the reason appears in the table.
    printf '   not measured: %s: %s\n' "$1" "$2" >&2
    printf '{"peer": "%s", "reason": "%s"}\n' "$1" "$2" >>"$results"
}
measure() { # NAME COMMAND..: appends its output to the results.
    local name=$1 status=0
    shift
    say "$name"
    taskset -c "$core" "$@" $quick </dev/null >>"$results" 2> >(tee -a "$log" >&2) || status=$?
    ((status == 0)) || skipped "$name" "it exited with status $status; see $log"
}

say "building (log: $log)"
RUSTFLAGS='-C target-cpu=native' cargo build --release 2>>"$log" || {
    tail -n 30 "$log" >&2
    echo "the build failed; the full log is $log" >&2
    exit 1
}

say 'Python packages'
[[ -x $python ]] || python3 -m venv "$venv" || {
    echo "no virtual environment; on Debian: apt-get install python3-venv" >&2
    exit 1
}
install() { # NAME PACKAGES..: succeeds if they are installed now.
    local name=$1
    shift
    "$python" -m pip install --quiet --disable-pip-version-check --no-cache-dir "$@" </dev/null >>"$log" 2>&1 ||
        { skipped "$name" "pip could not install $1"; return 1; }
}
rtneural_headers() { # Succeeds if they are there now.
    [[ -z ${RTNEURAL-} && ! -d $target/rtneural ]] || return 0
    # From the machine's own mirror, with separate package lists: the machine's apt sources stay unchanged.
    local apt=$target/apt keys=/usr/share/keyrings/debian-archive-keyring.gpg mirror=
    mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Origin: Debian' 'Label: Debian' 2>/dev/null | head -n 1) || true
    if [[ -z $mirror || ! -f $keys ]]; then
        skipped RTNeural 'its headers are only downloaded on Debian, and RTNEURAL does not name their folder'
        return 1
    fi
    mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial"
    echo "deb-src [signed-by=$keys] $mirror trixie main" >"$apt/sources.list"
    local options=(-qq -o "Dir::Etc::SourceList=$apt/sources.list" -o Dir::Etc::SourceParts=/dev/null
        -o "Dir::State::Lists=$apt/lists" -o "Dir::Cache=$apt/cache" -o "APT::Sandbox::User=$(id -un)")
    if ! (apt-get "${options[@]}" update && cd "$apt" &&
        apt-get "${options[@]}" source --download-only --tar-only guitarix) >>"$log" 2>&1; then
        skipped RTNeural "its headers could not be downloaded; see $log"
        return 1
    fi
    mkdir -p "$apt/source"
    tar -xf "$apt"/guitarix_*.orig.tar.* -C "$apt/source" --strip-components=4 --wildcards '*/src/RTNeural/RTNeural'
    rm "$apt"/guitarix_*
    mv "$apt/source" "$target/rtneural"
}
install 'the plot' 'matplotlib==3.11.2' || { echo "pip could not install matplotlib; see $log" >&2; exit 1; }

"$peers" export "$networks"
measure 'limits of the core' "$peers" limits

# The compiled programs to run, including ours: one name and path per line.
programs=("monomorph|$peers")
if wants rust; then
    for name in candle burn tract dfdx nalgebra 'plain arrays'; do programs+=("$name|$peers"); done
fi
if wants cpp; then
    if ! command -v g++ >/dev/null; then
        skipped RLtools 'there is no g++'
        skipped RTNeural 'there is no g++'
    else
        if install RLtools 'rltools[mkl]==2.2.1'; then
            # Its documented settings, with its own loops and with MKL; the faster of the two counts.
            headers=$("$python" -c 'import importlib.util as u; print(u.find_spec("rltools").submodule_search_locations[0])')
            compile=(g++ -std=c++17 -O3 -ffast-math -march=native -I "$headers/external/rl_tools/include" rltools.cpp)
            mkl=(-DRL_TOOLS_BACKEND_ENABLE_MKL -DRL_TOOLS_DISABLE_UNALIGNED_MEMORY_ALLOCATIONS -I "$venv/include"
                "$venv"/lib/libmkl_rt.so.* "-Wl,-rpath,$venv/lib")
            printf '{"peer": "RLtools", "version": "2.2.1"}\n' >>"$results"
            if "${compile[@]}" -o "$target/rltools" 2>>"$log"; then programs+=("RLtools|$target/rltools"); fi
            if "${compile[@]}" "${mkl[@]}" -o "$target/rltools-mkl" 2>>"$log"; then
                programs+=("RLtools with MKL|$target/rltools-mkl")
            fi
        fi
        if rtneural_headers; then
            # Each of its three backends; the fastest counts. It must be told the size of registers.
            headers=${RTNEURAL:-$target/rtneural}
            compile=(g++ -std=c++17 -O3 -ffast-math -march=native -DRTNEURAL_NAMESPACE=RTNeural -DEIGEN_STACK_ALLOCATION_LIMIT=0
                -isystem "$headers" -isystem "$headers/modules/Eigen" -isystem "$headers/modules/xsimd/include")
            printf '{"peer": "RTNeural", "version": "%s"}\n' "$(sed -n 's/^project(RTNeural VERSION \(.*\))/\1/p' "$headers/CMakeLists.txt")" >>"$results"
            for backend in EIGEN XSIMD STL; do
                alignment=64
                [[ $backend != EIGEN ]] || alignment=32
                "${compile[@]}" "-DRTNEURAL_USE_$backend=1" "-DRTNEURAL_DEFAULT_ALIGNMENT=$alignment" rtneural.cpp \
                    -o "$target/rtneural-$backend" 2>>"$log" || { skipped RTNeural "it could not be built; see $log"; continue; }
                programs+=("RTNeural with $backend|$target/rtneural-$backend")
            done
        fi
    fi
fi
# Several rounds: each process has its weights in different memory pages, which changes the time to read them by a
# tenth or more, and if the machine slows down for a while, that must not favour any library.
round() {
    local program name path
    for program in "${programs[@]}"; do
        IFS='|' read -r name path <<<"$program"
        if [[ $path == "$peers" ]]; then measure "$name" "$peers" "$name"; else measure "$name" "$path" "$networks"; fi
    done
}
round
[[ -n $quick ]] || round
if wants python; then
    while read -r name packages; do
        name=${name//_/ }
        # shellcheck disable=SC2086 # several packages
        if install "$name" $packages; then measure "$name" "$python" peers.py "$name" "$networks"; fi
    done <<'EOF'
ONNX_Runtime onnxruntime==1.32.0 onnx==1.23.2 numpy==2.4.6
LiteRT ai-edge-litert==2.3.0 numpy==2.4.6
PyTorch torch==2.15.0 numpy==2.4.6
JAX jax==0.10.2 numpy==2.4.6
EOF
fi
round

say 'table'
if [[ $only == all && -z $quick ]]; then
    "$python" render.py "$results" ..
else
    "$python" render.py "$results" "$target"
    echo "incomplete run: benches/RESULTS.md is unchanged" >&2
fi
