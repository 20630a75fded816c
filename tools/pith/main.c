/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `pith`: runs an unmodified Linux program in its own virtual machine.
 * This file only finds the command.
 */
#include "run.h"

#include "cache.h"
#include "klib.h"
#include "options.h"
#include "volume.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *name;
	int (*fn)(int argc, char **argv);
	const char *help;
} commands[] = {
	{ "run", command_run, "run a program, or an image, in a machine" },
	{ "build", command_build, "make a disk image of a program" },
	{ "inspect", command_inspect, "say what an image holds and runs" },
	{ "ls", command_ls, "list the files of an image" },
	{ "cp", command_cp, "copy a file out of an image" },
	{ "volume", command_volume, "make, list, check and fill volumes" },
	{ "cache", command_cache, "list, measure or clear cached images" },
	{ "doctor", command_doctor, "say what this machine lacks" },
};

static void
help(void)
{
	printf("Usage: pith COMMAND [OPTION]... [ARG]...\n"
	       "Run an unmodified Linux program as its own virtual machine."
	       "\n\n");
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		printf("  %-10s%s\n", commands[i].name, commands[i].help);
	printf("\npith COMMAND --help tells a command's options; "
	       "--version prints the version.\n");
}

/* For bash completion and the tests: the words that are known. */
static int
list_words(int argc, char **argv)
{
	if (argc && !strcmp(argv[0], "run"))
		options_list(CMD_RUN);
	else if (argc && !strcmp(argv[0], "build"))
		options_list(CMD_BUILD);
	else if (argc && !strcmp(argv[0], "klibs"))
		printf("%s\n", klib_names());
	else
		for (size_t i = 0; i < ARRAY_LEN(commands); i++)
			printf("%s\n", commands[i].name);
	return 0;
}

int
main(int argc, char **argv)
{
	const char *near = NULL, *word = argc > 1 ? argv[1] : "";
	unsigned best = ~0u;
	int status;

	/* The commands parse the rest themselves. */

	if (!strcmp(word, "--help") || !strcmp(word, "-h") ||
	    !strcmp(word, "help")) {
		help();
		return 0;
	}
	if (!strcmp(word, "--version")) {
		printf("pith " PITH_VERSION "\n");
		return 0;
	}
	if (!strcmp(word, "--list"))
		return list_words(argc - 2, argv + 2);
	if (!*word)
		die(STATUS_FAILED, "no command is named; see pith --help");
	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		unsigned d = edit_distance(commands[i].name, word);

		if (!d) {
			status = commands[i].fn(argc - 2, argv + 2);
			if (fflush(stdout))
				die(STATUS_FAILED, "can not write the output");
			return status;
		}
		if (d < best) {
			best = d;
			near = commands[i].name;
		}
	}
	die(STATUS_FAILED, "unknown command %s; did you mean %s?",
	    printable(word), near);
}
