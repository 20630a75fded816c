/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of options and its parser.
 *
 * Options end at the first word that is none (the program), so the program's
 * own options need no "--".  A configuration file is read where --config
 * stands first of all; what the command line says replaces it, and adds to
 * it where an option can be repeated.
 */
#include "options.h"

#include "klib.h"
#include "net.h"
#include "volume.h"
#include "vsock.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <abi/pith.h>

#define PROFILE_HZ 997 /* not in step with what happens 1,000 times */
#define CPUS_MAX   64

static const char *
take(char **where, const char *v)
{
	free(*where);
	*where = xstrdup(v);
	return NULL;
}

static const char *
set_memory(struct options *o, const char *v)
{
	if (parse_size(v, &o->memory_bytes))
		return "it must be a size such as 64M or 2G";
	if (o->memory_bytes < MEMORY_MIN)
		return "a machine needs at least 3M of memory";
	if (o->memory_bytes > MEMORY_MAX)
		return "more than 1024G of memory is not supported";
	return NULL;
}

static const char *
set_cpus(struct options *o, const char *v)
{
	if (parse_u32(v, &o->cpus) || !o->cpus || o->cpus > CPUS_MAX)
		return "it must be a number from 1 to 64";
	return NULL;
}

static const char *
set_env(struct options *o, const char *v)
{
	const char *eq = strchr(v, '='), *host;
	char *kv;

	if (eq == v || !*v)
		return "it must be NAME=VALUE or NAME";
	if (eq) {
		strv_add(&o->env, v);
		return NULL;
	}
	host = getenv(v);
	if (!host)
		return NULL; /* as env(1): what is not set stays unset */
	kv = xasprintf("%s=%s", v, host);
	strv_add(&o->env, kv);
	free(kv);
	return NULL;
}

/* The format of docker's --env-file: no quotes, no expansion. */
static const char *
set_env_file(struct options *o, const char *v)
{
	struct buf text = { 0 };
	unsigned line = 0;
	char *save = NULL, *p;
	int err;

	if (o->looking)
		return NULL; /* a pipe can be read once */
	err = read_file(v, &text);
	p = text.p;
	if (err)
		die(STATUS_FAILED, "environment file %s: %s", printable(v),
		    strerror(-err));
	for (; p && *p; p = save) {
		size_t len = strcspn(p, "\n");

		line++;
		save = p + len + (p[len] == '\n');
		p[len] = '\0';
		if (*p && *p != '#' && set_env(o, p))
			die(STATUS_FAILED,
			    "environment file %s, line %u: "
			    "it must be NAME=VALUE or NAME",
			    printable(v), line);
	}
	buf_free(&text);
	return NULL;
}

static const char *
set_workdir(struct options *o, const char *v)
{
	if (v[0] != '/')
		return "it must be an absolute path of the guest";
	return take(&o->workdir, v);
}

/* A number, whose group is the same, or an account of this host. */
static int
user_of(const char *name, uint32_t *uid, uint32_t *gid)
{
	struct passwd *pw;

	if (!parse_u32(name, uid)) {
		*gid = *uid;
		return 0;
	}
	pw = getpwnam(name);
	if (!pw)
		return -ENOENT;
	*uid = pw->pw_uid;
	*gid = pw->pw_gid;
	return 0;
}

static int
group_of(const char *name, uint32_t *gid)
{
	struct group *gr;

	if (!parse_u32(name, gid))
		return 0;
	gr = getgrnam(name);
	if (!gr)
		return -ENOENT;
	*gid = gr->gr_gid;
	return 0;
}

static const char *
set_user(struct options *o, const char *v)
{
	char *copy = xstrdup(v), *colon = strchr(copy, ':');
	bool ok;

	if (colon)
		*colon++ = '\0';
	ok = !user_of(copy, &o->uid, &o->gid) &&
	     (!colon || !group_of(colon, &o->gid));
	o->have_user = true;
	free(copy);
	return ok ? NULL :
		    "it must be USER or USER:GROUP, each a number or a name "
		    "of this host";
}

/* HOST[:GUEST]; a host path that exists as a whole may hold colons. */
static const char *
set_include(struct options *o, const char *v)
{
	const char *colon = strrchr(v, ':');
	struct include *in;

	if (!*v)
		return "it must name a file or a directory";
	if (colon && (access(v, F_OK) == 0 || colon[1] != '/' || colon == v))
		colon = NULL;
	o->includes = xrealloc(o->includes,
			       (o->nincludes + 1) * sizeof(*o->includes));
	in = &o->includes[o->nincludes++];
	in->host = colon ? xstrndup(v, colon - v) : xstrdup(v);
	in->guest = colon ? xstrdup(colon + 1) : NULL;
	return NULL;
}

static const char *
set_root(struct options *o, const char *v)
{
	return take(&o->root, v);
}

static const char *
set_hostname(struct options *o, const char *v)
{
	if (!*v || strlen(v) > 64)
		return "it must have 1 to 64 characters";
	return take(&o->hostname, v);
}

static const char *
set_umask(struct options *o, const char *v)
{
	char *end;
	unsigned long n = strtoul(v, &end, 8);

	if (*end || !*v || n > 0777)
		return "it must be an octal number up to 777";
	o->umask = n;
	o->have_umask = true;
	return NULL;
}

static const char *
set_no_aslr(struct options *o, const char *v)
{
	o->no_aslr = v != NULL;
	return NULL;
}

static const char *
set_root_mode(struct options *o, const char *v)
{
	if (!strcmp(v, "overlay"))
		o->root_mode = PITH_ROOT_OVERLAY;
	else if (!strcmp(v, "ro"))
		o->root_mode = PITH_ROOT_RO;
	else if (!strcmp(v, "rw"))
		o->root_mode = PITH_ROOT_RW;
	else
		return "it must be overlay, ro or rw";
	return NULL;
}

static const char *
set_mount(struct options *o, const char *v)
{
	unsigned colons = 0;

	for (const char *p = v; *p; p++)
		colons += *p == ':';
	if (colons < 2 || colons > 3)
		return "it must be TYPE:SOURCE:TARGET[:OPTIONS]";
	strv_add(&o->mounts, v);
	return NULL;
}

const char *
options_add_volume(struct options *o, const char *words)
{
	static const char form[] = "it must be NAME:/PATH[:ro] or "
				   "./DIR:/PATH[:ro]";
	const char *at = strstr(words, ":/"), *end;
	struct volume v = { 0 };

	if (!at || at == words)
		return form;
	end = at + 1 + strcspn(at + 1, ":");
	if (!strcmp(end, ":ro"))
		v.read_only = true;
	else if (*end && strcmp(end, ":rw"))
		return form;
	v.source = xstrndup(words, at - words);
	v.target = xstrndup(at + 1, end - at - 1);
	if (!volume_is_dir(&v) && volume_name_wrong(v.source))
		return volume_name_wrong(v.source);
	for (unsigned i = 0; i < o->nvolumes; i++)
		if (!strcmp(o->volumes[i].target, v.target))
			return "there is another one at this path";
	if (o->nvolumes == VOLUMES_MAX)
		return "there are too many volumes";
	o->volumes[o->nvolumes++] = v;
	return NULL;
}

static const char *
set_volume(struct options *o, const char *v)
{
	return options_add_volume(o, v);
}

static const char *
set_klib(struct options *o, const char *v)
{
	return klib_add(o, v);
}

static const char *
set_rlimit(struct options *o, const char *v)
{
	if (!strchr(v, '='))
		return "it must be NAME=SOFT[:HARD]";
	strv_add(&o->rlimits, v);
	return NULL;
}

static const char *
set_free(struct options *o, const char *v)
{
	if (parse_size(v, &o->free_bytes) || o->free_bytes > 1ull << 44)
		return "it must be a size such as 64M or 2G";
	return NULL;
}

static const char *
set_machine(struct options *o, const char *v)
{
	if (!strcmp(v, "microvm"))
		o->machine = MACHINE_MICROVM;
	else if (!strcmp(v, "q35"))
		o->machine = MACHINE_Q35;
	else if (!strcmp(v, "pc"))
		o->machine = MACHINE_PC;
	else
		return "it must be microvm, q35 or pc";
	return NULL;
}

static const char *
set_accel(struct options *o, const char *v)
{
	if (!strcmp(v, "auto"))
		o->accel = ACCEL_AUTO;
	else if (!strcmp(v, "kvm"))
		o->accel = ACCEL_KVM;
	else if (!strcmp(v, "tcg"))
		o->accel = ACCEL_TCG;
	else
		return "it must be auto, kvm or tcg";
	return NULL;
}

/* Values that net.c understands; what they come to depends on the others. */
static const char *
add_checked(struct strv *list, const char *v, const char *wrong)
{
	if (!wrong)
		strv_add(list, v);
	return wrong;
}

static const char *
set_publish(struct options *o, const char *v)
{
	return add_checked(&o->publish, v, net_check_publish(v));
}

static const char *
set_net(struct options *o, const char *v)
{
	return add_checked(&o->nets, v, net_check_net(v));
}

static const char *
set_ip(struct options *o, const char *v)
{
	return add_checked(&o->ips, v, net_check_ip(v));
}

static const char *
set_mac(struct options *o, const char *v)
{
	return add_checked(&o->macs, v, net_check_mac(v));
}

static const char *
set_dns(struct options *o, const char *v)
{
	return add_checked(&o->dns, v, net_check_dns(v));
}

static const char *
set_pcap(struct options *o, const char *v)
{
	return *v ? take(&o->pcap, v) : "it must name a file";
}

static const char *
set_timeout(struct options *o, const char *v)
{
	if (parse_u32(v, &o->timeout_s) || !o->timeout_s ||
	    o->timeout_s > INT32_MAX / 1000)
		return "it must be a number of seconds above 0";
	return NULL;
}

/* The kernel parses the filter; it knows the names. */
static const char *
set_trace(struct options *o, const char *v)
{
	o->trace = true;
	return take(&o->trace_filter, v ? v : "");
}

static const char *
set_profile(struct options *o, const char *v)
{
	if (!v)
		o->profile_hz = PROFILE_HZ;
	else if (parse_u32(v, &o->profile_hz) || !o->profile_hz ||
		 o->profile_hz > PITH_PROFILE_HZ_MAX)
		return "it must be a number of samples a second, 1 to 10000";
	return NULL;
}

static const char *
set_profile_file(struct options *o, const char *v)
{
	if (!*v)
		return "it must name a file";
	if (!o->profile_hz)
		o->profile_hz = PROFILE_HZ;
	return take(&o->profile_file, v);
}

static const char *
set_trace_file(struct options *o, const char *v)
{
	o->trace = true;
	if (!o->trace_filter)
		o->trace_filter = xstrdup("");
	return take(&o->trace_file, v);
}

static const char *
set_missing(struct options *o, const char *v)
{
	o->missing_files = v != NULL;
	return NULL;
}

static const char *
set_gdb(struct options *o, const char *v)
{
	o->gdb = true;
	o->gdb_port = 1234;
	if (v &&
	    (parse_u32(v, &o->gdb_port) || !o->gdb_port || o->gdb_port > 65535))
		return "it must be a port number";
	return NULL;
}

static const char *
set_print_qemu(struct options *o, const char *v)
{
	o->print_qemu = v != NULL;
	return NULL;
}

static const char *
set_persist(struct options *o, const char *v)
{
	o->persist = v != NULL;
	return NULL;
}

static const char *
set_verbose(struct options *o, const char *v)
{
	(void)o;
	verbose = v != NULL;
	return NULL;
}

static const char *
set_output(struct options *o, const char *v)
{
	return take(&o->output, v);
}

static const char *
set_config(struct options *o, const char *v)
{
	return take(&o->config, v);
}

/* Name, letter, commands, kind, argument, help, setter, key of a file. */
const struct option_def option_table[] = {
	{ "memory", 'm', CMD_BOTH, KIND_SIZE, "SIZE",
	  "memory of the machine (default 512M)", set_memory, true },
	{ "cpus", 'c', CMD_BOTH, KIND_NUMBER, "N", "virtual CPUs (default 1)",
	  set_cpus, true },
	{ "env", 'e', CMD_BOTH, KIND_MAP, "K[=V]",
	  "set a variable; K alone takes the host's value", set_env, true },
	{ "env-file", 0, CMD_BOTH, KIND_STRING, "FILE",
	  "set the variables of FILE, one K=V a line", set_env_file, true },
	{ "workdir", 'w', CMD_BOTH, KIND_STRING, "DIR",
	  "the program's working directory", set_workdir, true },
	{ "user", 'u', CMD_BOTH, KIND_STRING, "USER[:GROUP]",
	  "run as this user, by number or name (default 0:0)", set_user, true },
	{ "include", 'i', CMD_BOTH, KIND_LIST, "HOST[:GUEST]",
	  "put a file or directory in the image", set_include, true },
	{ "root", 'r', CMD_BOTH, KIND_STRING, "DIR",
	  "DIR is the root; PROGRAM is a path in it", set_root, true },
	{ "hostname", 0, CMD_BOTH, KIND_STRING, "NAME",
	  "the machine's name (default pith)", set_hostname, true },
	{ "umask", 0, CMD_BOTH, KIND_STRING, "MODE",
	  "the program's umask, octal (default 022)", set_umask, true },
	{ "no-aslr", 0, CMD_BOTH, KIND_FLAG, NULL,
	  "load everything at fixed addresses", set_no_aslr, true },
	{ "root-mode", 0, CMD_BOTH, KIND_STRING, "MODE",
	  "the root is overlay (default), ro or rw", set_root_mode, true },
	{ "mount", 0, CMD_BOTH, KIND_LIST, "TYPE:SOURCE:TARGET[:OPTIONS]",
	  "mount a file system before the program starts", set_mount, true },
	{ "volume", 'v', CMD_BOTH, KIND_LIST, "NAME:/PATH[:ro]",
	  "use a volume (pith volume), or ./DIR of the host", set_volume,
	  true },
	{ "klib", 0, CMD_BOTH, KIND_LIST, "NAME[=ARGS]",
	  "load a part of the kernel that is not in every image", set_klib,
	  true },
	{ "rlimit", 0, CMD_BOTH, KIND_LIST, "NAME=SOFT[:HARD]",
	  "set a resource limit, such as nofile=4096", set_rlimit, true },
	{ "free", 0, CMD_BUILD, KIND_SIZE, "SIZE",
	  "free room in the image's root (default 16M)", set_free, true },
	{ "machine", 0, CMD_RUN, KIND_STRING, "TYPE",
	  "microvm (default), q35 or pc", set_machine, true },
	{ "accel", 0, CMD_RUN, KIND_STRING, "HOW", "auto (default), kvm or tcg",
	  set_accel, true },
	{ "publish", 'p', CMD_BOTH, KIND_LIST, "[ADDR:]HOST:GUEST[/udp]",
	  "make a port of the machine one of this host", set_publish, true },
	{ "net", 0, CMD_RUN, KIND_LIST, "HOW",
	  "network: user (default), tap=NAME or none", set_net, true },
	{ "ip", 0, CMD_BOTH, KIND_LIST, "ADDR/PREFIX[,GATEWAY]",
	  "the machine's address, or dhcp, or none", set_ip, true },
	{ "mac", 0, CMD_BOTH, KIND_LIST, "ADDR",
	  "the network interface's hardware address", set_mac, true },
	{ "dns", 0, CMD_BOTH, KIND_LIST, "ADDR", "a name server", set_dns,
	  true },
	{ "pcap", 0, CMD_RUN, KIND_STRING, "FILE",
	  "write the packets that cross the interface to FILE", set_pcap,
	  true },
	{ "vsock", 0, CMD_RUN, KIND_NUMBER, "CID",
	  "AF_VSOCK: the machine's address for this host", vsock_set_cid,
	  true },
	{ "vsock-path", 0, CMD_RUN, KIND_STRING, "SOCKET",
	  "AF_VSOCK by a vhost-user program that listens there", vsock_set_path,
	  true },
	{ "timeout", 0, CMD_RUN, KIND_NUMBER, "SECONDS",
	  "end the machine after this time, status 124", set_timeout, true },
	{ "persist", 0, CMD_RUN, KIND_FLAG, NULL,
	  "keep what the program writes for the next run", set_persist, true },
	{ "trace", 0, CMD_RUN, KIND_OPTIONAL, "FILTER",
	  "print system calls; FILTER: names, comma between", set_trace, true },
	{ "trace-file", 0, CMD_RUN, KIND_STRING, "FILE",
	  "print them to FILE instead of stderr", set_trace_file, true },
	{ "profile", 0, CMD_RUN, KIND_OPTIONAL, "HZ",
	  "at exit, say where the time went; HZ: samples a second", set_profile,
	  true },
	{ "profile-file", 0, CMD_RUN, KIND_STRING, "FILE",
	  "write the samples to FILE, as stacks", set_profile_file, true },
	{ "missing-files", 0, CMD_RUN, KIND_FLAG, NULL,
	  "at exit, print the paths looked for in vain", set_missing, true },
	{ "gdb", 0, CMD_RUN, KIND_OPTIONAL, "PORT",
	  "wait for gdb on this port (default 1234)", set_gdb, false },
	{ "print-qemu", 0, CMD_RUN, KIND_FLAG, NULL,
	  "print QEMU's command line and do not run it", set_print_qemu,
	  false },
	{ "output", 'o', CMD_BUILD, KIND_STRING, "FILE",
	  "the image to write (needed)", set_output, false },
	{ "config", 0, CMD_BOTH, KIND_STRING, "FILE",
	  "read options from a JSON file", set_config, false },
	{ "verbose", 0, CMD_BOTH, KIND_FLAG, NULL,
	  "say what pith does, and print the kernel's log", set_verbose,
	  false },
	{ NULL, 0, 0, 0, NULL, NULL, NULL, false },
};

/* For `build` -c is --config, as in the examples of the documentation. */
static bool
letter_is(const struct option_def *d, char c, unsigned command)
{
	if (command == CMD_BUILD && c == 'c')
		return !strcmp(d->name, "config");
	return d->letter == c;
}

/* The option of that name; when there is none, the nearest is proposed. */
static const struct option_def *
find_name(const char *name, size_t len, unsigned command)
{
	const struct option_def *d, *near = NULL;
	char *word = xstrndup(name, len);
	unsigned best = ~0u;

	for (d = option_table; d->name; d++) {
		unsigned dist;

		if (!(d->commands & command))
			continue;
		dist = edit_distance(d->name, word);
		if (dist < best) {
			best = dist;
			near = d;
		}
	}
	if (best) {
		/* A word of other letters is no misspelling. */
		bool close = best < 4 && best <= strlen(word) / 2;

		die(STATUS_FAILED, "unknown option --%s%s%s%s", printable(word),
		    close ? "; did you mean --" : "; see --help",
		    close ? near->name : "", close ? "?" : "");
	}
	free(word);
	return near;
}

static const struct option_def *
find_letter(char c, unsigned command)
{
	const struct option_def *d;

	for (d = option_table; d->name; d++)
		if ((d->commands & command) && letter_is(d, c, command))
			return d;
	die(STATUS_FAILED, "unknown option -%c; see pith --help",
	    c > 32 && c < 127 ? c : '?');
}

static void
apply(struct options *o, const struct option_def *d, const char *value)
{
	const char *wrong = d->set(o, value);

	if (wrong)
		die(STATUS_FAILED, "--%s %s: %s", d->name,
		    value ? printable(value) : "", wrong);
}

/* One option at argv[i]; returns the index after it. */
static int
parse_one(struct options *o, unsigned command, int argc, char **argv, int i)
{
	const char *word = argv[i], *value = NULL;
	const struct option_def *d;

	if (word[1] == '-') {
		size_t len = strcspn(word + 2, "=");

		d = find_name(word + 2, len, command);
		if (word[2 + len])
			value = word + 2 + len + 1;
	} else {
		d = find_letter(word[1], command);
		if (word[2])
			value = word + 2 + (word[2] == '=');
	}
	i++;
	if (d->kind == KIND_FLAG) {
		if (value)
			die(STATUS_FAILED, "--%s takes no value", d->name);
		value = "";
	} else if (d->kind == KIND_OPTIONAL) {
		/* --gdb PORT: a number cannot be a program's name here. */
		if (!value && !strcmp(d->name, "gdb") && i < argc &&
		    argv[i][0] && !argv[i][strspn(argv[i], "0123456789")])
			value = argv[i++];
	} else if (!value) {
		if (i >= argc)
			die(STATUS_FAILED, "--%s needs a value: %s", d->name,
			    d->arg);
		value = argv[i++];
	}
	apply(o, d, value);
	return i;
}

/* What differs from zero. */
static void
defaults(struct options *o)
{
	*o = (struct options){
		.free_bytes = 16ull << 20,
		.root_mode = -1,
	};
}

void
options_parse(struct options *o, unsigned command, int argc, char **argv)
{
	struct options first;
	int i = 0;

	/* The file comes first, whatever the order of the words; a first
	 * pass finds its name and whether help is asked for. */
	defaults(&first);
	first.looking = true;
	while (i < argc && argv[i][0] == '-' && argv[i][1]) {
		if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h")) {
			options_help(command);
			exit(0);
		}
		if (!strcmp(argv[i], "--"))
			break;
		i = parse_one(&first, command, argc, argv, i);
	}
	defaults(o);
	if (first.config)
		config_read(o, first.config, command);
	for (i = 0; i < argc && argv[i][0] == '-' && argv[i][1];) {
		if (!strcmp(argv[i], "--")) {
			i++;
			break;
		}
		i = parse_one(o, command, argc, argv, i);
	}
	if (i >= argc)
		return;
	free(o->program);
	o->program = xstrdup(argv[i++]);
	o->args = (struct strv){ 0 };
	for (; i < argc; i++)
		strv_add(&o->args, argv[i]);
}

void
options_help(unsigned command)
{
	const struct option_def *d;

	if (command == CMD_RUN)
		printf("Usage: pith run [OPTION]... PROGRAM [ARG]...\n"
		       "       pith run [OPTION]... IMAGE [ARG]...\n"
		       "Run a Linux program, or an image that pith build made, "
		       "in its own virtual machine.\n\n");
	else
		printf("Usage: pith build [OPTION]... -o FILE PROGRAM "
		       "[ARG]...\n"
		       "Make a bootable disk image of a program and the files "
		       "that it needs.\n\n");
	for (d = option_table; d->name; d++) {
		char left[80], letter = d->letter;

		if (!(d->commands & command))
			continue;
		if (letter_is(d, 'c', command))
			letter = 'c';
		snprintf(left, sizeof(left), "  %c%c%s --%s%s%s%s",
			 letter ? '-' : ' ', letter ? letter : ' ',
			 letter ? "," : " ", d->name,
			 d->kind == KIND_OPTIONAL ? "[=" :
			 d->arg			  ? " " :
						    "",
			 d->arg ? d->arg : "",
			 d->kind == KIND_OPTIONAL ? "]" : "");
		printf("%-33s%s%s\n", left,
		       strlen(left) > 32 ? "\n                                "
					   " " :
					   "",
		       d->help);
	}
	printf("      --help                     print this\n");
	if (command == CMD_RUN)
		printf("\nOn a terminal, Ctrl-A x ends the machine and "
		       "Ctrl-A Ctrl-A types Ctrl-A.\n"
		       "Status: the program's own; 124 time is up, 125 pith "
		       "or the machine failed,\n126 cannot be executed, 127 "
		       "not found.\n");
}

void
options_list(unsigned command)
{
	for (const struct option_def *d = option_table; d->name; d++)
		if (d->commands & command)
			printf("--%s\n", d->name);
	printf("--help\n");
}
