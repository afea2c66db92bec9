/* replay.c - main() of a fuzz target in a build without libFuzzer: runs it over the files it is given. See fuzz.h. */
#include "fuzz.h"

/* Nothing is mutated here. */
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size)
{
	(void)data;
	(void)max_size;
	return size;
}

int main(int argc, char **argv)
{
	FUZZ_CHECK(LLVMFuzzerInitialize(&argc, &argv) == 0);
	for (int i = 1; i < argc; i++) {
		size_t size = 0;
		uint8_t *bytes = fuzz_read_file(argv[i], &size);

		printf("%s\n", argv[i]);
		(void)fflush(stdout);	/* so that the last line names what ended it */
		(void)LLVMFuzzerTestOneInput(bytes, size);
		free(bytes);
	}
	printf("%d inputs\n", argc - 1);
	return 0;
}
