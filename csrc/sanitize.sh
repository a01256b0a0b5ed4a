#!/usr/bin/env bash
# Builds the native engine with ASan and UBSan, runs its tests with it, and fails for what it leaks: `make sanitize`.
# PYTHON: an interpreter that has what `make setup` installs. Arguments go to pytest (default: tests/native).
set -euo pipefail
cd "$(dirname "$0")/.."
build=build/sanitize
log="$PWD/$build/found"
python=${PYTHON:-.venv/bin/python}
python=$(realpath -s "$(command -v "$python")")
export PATH="$(dirname "$python"):$PATH"

cmake -S . -B $build -G Ninja -DPython_EXECUTABLE="$python" -DCMAKE_BUILD_TYPE=Debug \
  -DSPEEDWELL_SANITIZE=address,undefined -DSPEEDWELL_WERROR=ON >/dev/null
cmake --build $build

# A copy of the package holds the module: nothing else may load one that needs the sanitizer's library. An environment
# that sees the copy and the installed packages, but not src.
rm -rf $build/tree $build/venv "$log"
mkdir -p $build/tree "$log"
cp -r src/speedwell $build/tree/
rm -f $build/tree/speedwell/native/_engine.*
cmake --install $build --prefix $build/tree >/dev/null
"$python" -m venv --without-pip $build/venv
printf '%s\n' "$PWD/$build/tree" "$("$python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')" \
  >"$("$build/venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/here.pth"

# CPython and its libraries leak by design, so that a leak alone ends nothing here (exitcode=0): the log is read below.
# libstdc++ is preloaded because the sanitizer looks up what throws exceptions before any module brings it.
compiler=${CXX:-g++}
status=0
LD_PRELOAD="$("$compiler" -print-file-name=libasan.so) $("$compiler" -print-file-name=libstdc++.so)" \
  ASAN_OPTIONS="abort_on_error=1:allocator_may_return_null=1:detect_leaks=1:log_path=$log/report" \
  UBSAN_OPTIONS="halt_on_error=1:abort_on_error=1:print_stacktrace=1" \
  LSAN_OPTIONS="exitcode=0:report_objects=0" \
  PYTHONMALLOC=malloc SPEEDWELL_REQUIRE_NATIVE=1 \
  $build/venv/bin/python -m pytest -p no:cacheprovider -m "not slow" "${@:-tests/native}" || status=$?

if grep -l "ERROR: AddressSanitizer\|runtime error" "$log"/* 2>/dev/null; then
  grep -h -A 40 "ERROR: AddressSanitizer\|runtime error" "$log"/* | head -200
  status=1
fi
# A leak is ours where the stack that allocated it goes through csrc.
if cat "$log"/* 2>/dev/null | awk -v RS= '/ leak of / && /\/csrc\//' | tee $build/leaks | grep -q .; then
  head -200 $build/leaks
  status=1
fi
exit $status
