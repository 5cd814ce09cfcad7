// SPDX-License-Identifier: BSD-2-Clause
// Replays a corpus through a fuzz target in a build without libFuzzer.
//
// Each argument is a file or a directory (not recursive, in name order). Every input is handed over in a block of
// exactly its size, so that a sanitizer sees the first byte read past its end. Inputs found by a fuzzer thus stay
// regression tests for every compiler.
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { INPUT_MAX_BYTES = 64 << 20 };

// 0 or negative errno; an empty file is an input of no bytes.
static int replay_file(const char *path)
{
	struct stat st;
	FILE *f = fopen(path, "rb");
	uint8_t *data = NULL;
	int ret = -EIO;

	if (f == NULL)
		return -errno;
	if (fstat(fileno(f), &st) != 0 || !S_ISREG(st.st_mode) || st.st_size > INPUT_MAX_BYTES) {
		ret = -EINVAL;
		goto close_file;
	}
	data = malloc(st.st_size > 0 ? (size_t)st.st_size : 1);
	if (data == NULL) {
		ret = -ENOMEM;
		goto close_file;
	}
	if (fread(data, 1, (size_t)st.st_size, f) == (size_t)st.st_size) {
		LLVMFuzzerTestOneInput(data, (size_t)st.st_size);
		ret = 0;
	}
	free(data);
close_file:
	fclose(f);
	return ret;
}

static int is_visible(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

// Inputs replayed, or -1 after a message.
static int replay_path(const char *path)
{
	struct dirent **names;
	struct stat st;
	int n, count = 0;

	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode)) {
		n = scandir(path, &names, is_visible, alphasort);
		for (int i = 0; i < n; i++) {
			char file[4096];
			int len = snprintf(file, sizeof(file), "%s/%s", path, names[i]->d_name);

			free(names[i]);
			if (count < 0)
				continue;
			if (len < 0 || (size_t)len >= sizeof(file) || replay_path(file) < 0)
				count = -1;
			else
				count++;
		}
		if (n >= 0)
			free(names);
		return n < 0 ? -1 : count;
	}
	n = replay_file(path);
	if (n != 0) {
		fprintf(stderr, "%s: cannot replay: %s\n", path, strerror(-n));
		return -1;
	}
	return 1;
}

int main(int argc, char **argv)
{
	int total = 0;

	if (argc < 2) {
		fprintf(stderr, "usage: %s FILE|DIRECTORY...\n", argv[0]);
		return 2;
	}
	for (int i = 1; i < argc; i++) {
		int n = replay_path(argv[i]);

		if (n < 0) {
			printf("not ok 1 - %s\n", argv[i]);
			return 1;
		}
		total += n;
	}
	if (total == 0) {
		printf("not ok 1 - no inputs: a target needs seeds\n");
		return 1;
	}
	printf("ok 1 - %d inputs replayed\n", total);
	return 0;
}
