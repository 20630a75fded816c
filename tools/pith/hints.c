/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A table of well-known programs and of the options that keep each in one
 * process; what is not in it gets the general word.
 */
#include "hints.h"

#include "util.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#define PER_CLIENT                                                         \
	"it makes a process for each client and has no other way; take a " \
	"server that does not"
#define WORKERS                                                           \
	"it always makes worker processes; take a server that serves in " \
	"threads or in one loop"
#define ERLANG                                                               \
	"Erlang always starts a helper of its own (erl_child_setup); there " \
	"is no way without"

static const struct {
	const char *name; /* fnmatch(3) */
	const char *what;
} forks[] = {
	{ "apache2", "start it with -X, the variables of /etc/apache2/envvars, "
		     "and APACHE_RUN_DIR=/tmp" },
	{ "asterisk", "start it with -f" },
	{ "atftpd", "start it with --daemon --no-fork" },
	{ "beam*", ERLANG },
	{ "bitlbee", "start it with -n -D" },
	{ "caddy", "start it with 'caddy run' in place of 'caddy start'" },
	{ "chronyd", "start it with -d" },
	{ "collectd", "start it with -f" },
	{ "dnsmasq", "start it with -k" },
	{ "dovecot", WORKERS },
	{ "erl", ERLANG },
	{ "erlexec", ERLANG },
	{ "exim4", PER_CLIENT },
	{ "freeradius", "start it with -f" },
	{ "gearmand", "start it without -d" },
	{ "git",
	  "it starts a helper for this; git on the host fetches and packs" },
	{ "gunicorn", "it always makes worker processes; run the application "
		      "by waitress or uvicorn, without --workers" },
	{ "haproxy", "start it with -db" },
	{ "hitch", WORKERS },
	{ "icecast2", "start it without -b" },
	{ "in.tftpd", PER_CLIENT },
	{ "inspircd", "start it with --nofork" },
	{ "jshell", "start it with --execution local" },
	{ "kamailio", WORKERS },
	{ "knotd", "start it without -d" },
	{ "lighttpd", "start it with -D" },
	{ "master", WORKERS },
	{ "memcached", "start it without -d" },
	{ "mosquitto", "start it without -d" },
	{ "mpd", "start it with --no-daemon" },
	{ "named", "start it with -f or -g" },
	{ "nginx", "start it with -g 'daemon off; master_process off;'" },
	{ "ngircd", "start it with -n" },
	{ "nsd", WORKERS },
	{ "ntpd", "start it with -n" },
	{ "php-fpm*", "it always makes worker processes; php -S ADDRESS:PORT "
		      "serves in one" },
	{ "postgres",
	  "start it with --single; the server itself makes a process for each "
	  "client" },
	{ "privoxy", "start it with --no-daemon" },
	{ "proftpd", PER_CLIENT },
	{ "pure-ftpd", PER_CLIENT },
	{ "R", "its package utils starts `which`; only what does without that "
	       "package can run, with R_DEFAULT_PACKAGES=NULL" },
	{ "redis-server", "SAVE in place of BGSAVE, and no daemonize; the log "
			  "(appendonly) can be written, not rewritten" },
	{ "rsyslogd", "start it with -n" },
	{ "slapd", "start it with -d 0" },
	{ "snmpd", "start it with -f" },
	{ "squid", "start it with -N" },
	{ "sshd", PER_CLIENT },
	{ "starman",
	  "it always makes worker processes; plackup serves in one" },
	{ "stunnel*", "set 'foreground = yes' in its configuration" },
	{ "syncthing", "start it with -e STMONITORED=yes" },
	{ "syslog-ng", "start it with -F" },
	{ "tinyproxy", "start it with -d" },
	{ "transmission-da*", "start it with -f" },
	{ "turnserver", "start it without -o" },
	{ "unbound", "start it with -d" },
	{ "uwsgi", "start it without --master and --processes; --threads N" },
	{ "varnishd", WORKERS },
	{ "vsftpd", PER_CLIENT },
	{ "yq", "it starts jq: run jq on JSON" },
	{ "znc", "start it with -f" },
};

const char *
hint_for_fork(const char *name, bool other)
{
	/* What a server calls itself: "nsd: main". */
	char *first = xstrndup(name, strcspn(name, ":"));
	const char *what = NULL;

	for (size_t i = 0; i < ARRAY_LEN(forks) && !what; i++)
		if (!fnmatch(forks[i].name, first, 0))
			what = forks[i].what;
	free(first);
	if (what)
		return what;
	return other ? "look for an option that does without its helpers, or "
		       "run them on their own" :
		       "look for an option that keeps it in the foreground, "
		       "single or threaded";
}
