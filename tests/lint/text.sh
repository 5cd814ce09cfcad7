#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# What a text editor should have done, and marks that must not be in a commit.
. "$(dirname "$0")/files.sh"

mapfile -t code < <(sources '*.c' '*.h')
mapfile -t scripts < <(sources '*.sh' 'setup' '.ci/run' 'tests/e2e/*.sh')
mapfile -t python < <(sources '*.py')
mapfile -t meson < <(sources 'meson.build' '*/meson.build' 'meson_options.txt')
mapfile -t prose < <(sources '*.md' '*.scd' '*.cfg' '*.rules')
all=("${code[@]}" "${scripts[@]}" "${python[@]}" "${meson[@]}" "${prose[@]}" GNUmakefile)

# grep_all PATTERN FILE... : hits as file:line:text, shortened
grep_all() {
    local pattern=$1
    shift
    grep -nHEI -e "$pattern" -- "$@" | cut -c1-120
}

complain_lines "$(grep_all '[[:blank:]]+$' "${all[@]}")"
verdict 'no white space at line ends'

complain_lines "$(grep_all $'\r' "${all[@]}")"
for file in "${all[@]}"; do
    if [ -s "$file" ] && [ -n "$(tail -c 1 "$file")" ]; then
        complain "$file: no newline at the end"
    fi
done
verdict 'lines end with one line feed'

complain_lines "$(grep_all '^ {8}' "${code[@]}")"
verdict 'C is indented with tabs'

complain_lines "$(grep_all $'^ *\t' "${scripts[@]}" "${python[@]}" "${meson[@]}")"
verdict 'scripts are indented with spaces'

for file in "${code[@]}"; do
    if [ "$(head -n 1 "$file")" != '// SPDX-License-Identifier: BSD-2-Clause' ]; then
        complain "$file: first line is not the SPDX line"
    fi
done
for file in "${scripts[@]}" "${python[@]}" GNUmakefile; do
    if ! head -n 2 "$file" | grep -q '^# SPDX-License-Identifier: BSD-2-Clause$'; then
        complain "$file: no SPDX line in the first two lines"
    fi
done
verdict 'license lines'

# spelt so that this file does not find itself
complain_lines "$(grep_all '\b(TO[D]O|FIX[M]E|X[X]X|HA[C]K)\b' "${all[@]}")"
verdict 'no notes to self'

for file in "${scripts[@]}" "${python[@]}"; do
    if head -c 2 "$file" | grep -q '^#!'; then
        if [ ! -x "$file" ]; then
            complain "$file: has #! but is not executable"
        fi
    elif [ -x "$file" ]; then
        complain "$file: is executable but has no #!"
    fi
done
for file in "${code[@]}" "${meson[@]}" "${prose[@]}"; do
    if [ -x "$file" ]; then
        complain "$file: is executable"
    fi
done
verdict 'executable bits'

# a template for mkdtemp is fine
complain_lines "$(grep_all '(^|[^A-Za-z0-9_.])/(wor[k]|tm[p])/' "${code[@]}" "${scripts[@]}" "${python[@]}" \
    "${meson[@]}" | grep -v XXXXXX)"
verdict 'no paths of one machine'

for file in "${python[@]}"; do
    complain_lines "$(python3 -c 'import sys; compile(open(sys.argv[1]).read(), sys.argv[1], "exec")' "$file" 2>&1)"
done
verdict 'python compiles'

if command -v shellcheck >/dev/null; then
    complain_lines "$(shellcheck -x -S warning -f gcc "${scripts[@]}" 2>&1)"
    verdict 'shellcheck'
else
    skip 'shellcheck' 'shellcheck is not installed'
fi
finish
