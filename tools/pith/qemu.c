/* SPDX-License-Identifier: Apache-2.0 */
/*
 * QEMU's command line.
 *
 * Every file is passed as an open descriptor and every device as JSON, so
 * that no byte of a path is ever read as an option.  The kernel's own path is
 * the exception: QEMU opens it by name, as one word of the command line, in
 * which nothing is special.
 *
 * microvm is the default as it starts fastest: qboot, no PCI, virtio over
 * MMIO.  On q35 and pc the same devices are modern virtio over PCI, and a
 * watchdog is there.
 */
#include "qemu.h"

#include <abi/pith.h>
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DISK_QUEUES 8u /* what the kernel uses, at most */
#define QEMU_NAME   "qemu-system-x86_64"

static void add(struct qemu *q, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static void
add(struct qemu *q, const char *fmt, ...)
{
	va_list ap;

	if (q->argc + 1 >= QEMU_ARGV_MAX)
		die(STATUS_FAILED, "QEMU's command line is too long");
	va_start(ap, fmt);
	if (vasprintf(&q->argv[q->argc++], fmt, ap) < 0)
		die(STATUS_FAILED, "out of memory on the host");
	va_end(ap);
}

char *
qemu_find(void)
{
	const char *own = getenv("PITH_QEMU"), *p = getenv("PATH");

	if (own && *own) {
		if (access(own, X_OK) < 0)
			die(STATUS_FAILED, "PITH_QEMU names %s: %s",
			    printable(own), strerror(errno));
		return xstrdup(own);
	}
	for (p = p ? p : "/usr/bin"; p;) {
		size_t len = strcspn(p, ":");
		char *full = xasprintf("%.*s/" QEMU_NAME, (int)len, p);

		if (len && access(full, X_OK) == 0)
			return full;
		free(full);
		p = p[len] ? p + len + 1 : NULL;
	}
	die(STATUS_FAILED, "QEMU (" QEMU_NAME ") is not installed; on Debian: "
			   "apt install qemu-system-x86");
}

char *
kernel_find(void)
{
	static const char *const places[] = {
		"pith-kernel.elf",
		"../lib/pith/pith-kernel.elf",
	};
	const char *own = getenv("PITH_KERNEL");
	char self[PATH_MAX];
	ssize_t n;

	if (own && *own) {
		if (access(own, R_OK) < 0)
			die(STATUS_FAILED, "PITH_KERNEL names %s: %s",
			    printable(own), strerror(errno));
		return path_absolute(own);
	}
	n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	if (n < 0)
		die(STATUS_FAILED, "/proc is not mounted");
	self[n] = '\0';
	*strrchr(self, '/') = '\0';
	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		char *full = path_join(self, places[i]);

		if (access(full, R_OK) == 0)
			return full;
		free(full);
	}
	die(STATUS_FAILED,
	    "the kernel pith-kernel.elf is neither beside pith "
	    "(%s) nor in ../lib/pith; build or install it, or set PITH_KERNEL",
	    printable(self));
}

char *
kernel_debug(void)
{
	char *kernel = kernel_find(), *dot = strrchr(kernel, '.');
	char *debug =
		xasprintf("%.*s.debug", dot ? (int)(dot - kernel) : 0, kernel);

	free(kernel);
	return debug;
}

/* Adds "OPTION JSON"; takes the object over. */
static void
add_json(struct qemu *q, const char *option, json_t *object)
{
	char *text = json_dumps(object, JSON_COMPACT | JSON_PRESERVE_ORDER);

	if (!text)
		die(STATUS_FAILED, "out of memory on the host");
	add(q, "%s", option);
	add(q, "%s", text);
	free(text);
	json_decref(object);
}

/* The driver's name for the machine's bus. */
static const char *
on_bus(const struct options *o, const char *mmio, const char *pci)
{
	return o->machine == MACHINE_MICROVM ? mmio : pci;
}

/* Without the legacy interface no PCI device needs an I/O BAR. */
static json_t *
device(const struct options *o, const char *mmio, const char *pci)
{
	json_t *d = json_pack("{s:s}", "driver", on_bus(o, mmio, pci));

	if (o->machine != MACHINE_MICROVM)
		json_object_set_new(d, "disable-legacy", json_string("on"));
	return d;
}

uint64_t
machine_memory(const struct options *o)
{
	return o->memory_bytes ? o->memory_bytes : MEMORY_DEFAULT;
}

static void
add_machine(struct qemu *q, const struct options *o, bool kvm, bool uart)
{
	uint32_t cpus = o->cpus ? o->cpus : CPUS_DEFAULT;
	uint64_t memory = machine_memory(o);
	/* A vhost-user program maps the machine's memory. */
	const char *shared = o->vsock_path ? ",memory-backend=ram" : "";

	if (o->vsock_path)
		add_json(q, "-object",
			 json_pack("{s:s,s:s,s:I,s:b}", "qom-type",
				   "memory-backend-memfd", "id", "ram", "size",
				   (json_int_t)memory, "share", 1));
	add(q, "-machine");
	switch (o->machine) {
	case MACHINE_MICROVM:
		add(q, "microvm,x-option-roms=off,isa-serial=%s,rtc=on%s",
		    uart ? "on" : "off", shared);
		add(q, "-global");
		add(q, "virtio-mmio.force-legacy=false");
		/* The default is SeaBIOS, which is slower, and hangs under a
		 * KVM that is itself in a machine. */
		add(q, "-bios");
		add(q, "qboot.rom");
		break;
	case MACHINE_Q35:
		add(q, "q35,hpet=off%s", shared);
		break;
	case MACHINE_PC:
		add(q, "pc,hpet=off%s", shared);
		break;
	}
	add(q, "-accel");
	add(q, "%s", kvm ? "kvm" : "tcg,thread=multi");
	add(q, "-cpu");
	add(q, "%s", kvm ? "host" : "max");
	add(q, "-smp");
	/* With one CPU QEMU's TCG leaves the guest's memory barriers out; a
	 * possible second one keeps them. */
	add(q, "%u,maxcpus=%u", cpus, cpus < 2 && !kvm ? 2 : cpus);
	add(q, "-m");
	add(q, "%lluK", (unsigned long long)(memory >> 10));
}

/* "locking": the file is never written, or locked by us already.  The host's
 * cache is used; a flush is an fdatasync, and what the guest discards becomes
 * a hole again. */
static void
add_disk(struct qemu *q, const struct options *o, int fd, unsigned set,
	 bool writable, const char *node, const char *serial)
{
	char *path = xasprintf("/dev/fdset/%u", set);
	json_t *d;

	add(q, "-add-fd");
	add(q, "fd=%d,set=%u", fd, set);
	d = json_pack("{s:s,s:s,s:s,s:b,s:s,s:b}", "driver", "file",
		      "node-name", node, "filename", path, "read-only",
		      !writable, "locking", "off", "auto-read-only", 0);
	if (writable)
		json_object_set_new(d, "discard", json_string("unmap"));
	add_json(q, "-blockdev", d);
	d = device(o, "virtio-blk-device", "virtio-blk-pci");
	json_object_set_new(d, "drive", json_string(node));
	/* The default stops the machine when the host's disk is full. */
	json_object_set_new(d, "werror", json_string("report"));
	json_object_set_new(d, "rerror", json_string("report"));
	if (serial)
		json_object_set_new(d, "serial", json_string(serial));
	/* Over PCI it is the default. */
	if (o->cpus > 1)
		json_object_set_new(d, "num-queues",
				    json_integer(o->cpus < DISK_QUEUES ?
							 o->cpus :
							 DISK_QUEUES));
	add_json(q, "-device", d);
	free(path);
}

/* Files keep the owner and mode that they have on the host. */
static void
add_dir(struct qemu *q, const struct options *o, const struct qemu_volume *v)
{
	json_t *d;

	add(q, "-fsdev");
	/* -fsdev has no JSON form; a path with a comma was refused. */
	add(q, "local,id=%s,security_model=none,multidevs=remap%s,path=%s",
	    v->id, v->writable ? "" : ",readonly=on", v->dir);
	d = device(o, "virtio-9p-device", "virtio-9p-pci");
	json_object_set_new(d, "fsdev", json_string(v->id));
	json_object_set_new(d, "mount_tag", json_string(v->id));
	add_json(q, "-device", d);
}

static void
add_disks(struct qemu *q, const struct options *o, const struct qemu_fds *f)
{
	add_disk(q, o, f->image, 1, f->writable, "root", NULL);
	for (unsigned i = 0; i < f->nvolumes; i++) {
		const struct qemu_volume *v = &f->volumes[i];

		if (v->fd < 0)
			add_dir(q, o, v);
		else
			add_disk(q, o, v->fd, 2 + i, v->writable, v->id, v->id);
	}
}

/* A chardev's fd= is a number, so its old syntax is safe here. */
static void
add_port(struct qemu *q, int fd, const char *name)
{
	if (fd < 0)
		return;
	add(q, "-chardev");
	add(q, "socket,id=%s,fd=%d", name, fd);
	add_json(q, "-device",
		 json_pack("{s:s,s:s,s:s}", "driver", "virtserialport",
			   "chardev", name, "name", name));
}

static void
add_ports(struct qemu *q, const struct options *o, const struct qemu_fds *f)
{
	static const char *const names[] = {
		PITH_PORT_STDIN,
		PITH_PORT_STDOUT,
		PITH_PORT_STDERR,
	};
	json_t *d = device(o, "virtio-serial-device", "virtio-serial-pci");

	/* Number 0 is a virtconsole's; each port costs two queues. */
	json_object_set_new(d, "max_ports", json_integer(5));
	add_json(q, "-device", d);
	add_port(q, f->control, PITH_PORT_CONTROL);
	for (int i = 0; i < 3; i++)
		add_port(q, f->stream[i], names[i]);
}

/* What libslirp is told of the network that the machine's first address is in;
 * of the others it knows nothing. */
static void
add_user_net(json_t *d, const struct net_nic *nic)
{
	for (int i = 0; i < PITH_NET_ADDRS; i++) {
		const struct pith_net_addr *a = &nic->conf.addr[i];
		struct in_addr dns = { htonl(a->family == 4 ? net_user_dns(a) :
							      0) };
		char text[INET_ADDRSTRLEN], *net;

		if (a->family != 4 || nic->conf.method != PITH_NET_STATIC)
			continue;
		inet_ntop(AF_INET, a->addr, text, sizeof(text));
		net = xasprintf("%s/%u", text, a->prefix);
		json_object_set_new(d, "net", json_string(net));
		json_object_set_new(d, "dhcpstart", json_string(text));
		inet_ntop(AF_INET, a->gateway, text, sizeof(text));
		json_object_set_new(d, "host", json_string(text));
		inet_ntop(AF_INET, &dns, text, sizeof(text));
		json_object_set_new(d, "dns", json_string(text));
		free(net);
		break;
	}
}

static void
add_publish(json_t *d, const struct net *n)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < n->npublish; i++) {
		const struct net_publish *p = &n->publish[i];
		char host[INET_ADDRSTRLEN], *rule;

		inet_ntop(AF_INET, &p->addr, host, sizeof(host));
		rule = xasprintf("%s:%s:%u-:%u", p->udp ? "udp" : "tcp", host,
				 p->host, p->guest);
		json_array_append_new(list, json_pack("{s:s}", "str", rule));
		free(rule);
	}
	json_object_set_new(d, "hostfwd", list);
}

static json_t *
tap_net(const struct net_nic *nic, const char *id)
{
	json_t *d = json_pack("{s:s,s:s}", "type", "tap", "id", id);
	struct buf fds = { 0 };

	for (unsigned i = 0; i < nic->nfds; i++)
		buf_addf(&fds, "%s%d", i ? ":" : "", nic->fd[i]);
	json_object_set_new(d, nic->nfds > 1 ? "fds" : "fd",
			    json_string(fds.p));
	buf_free(&fds);
	return d;
}

static void
add_nic(struct qemu *q, const struct options *o, const struct net_nic *nic,
	const char *id)
{
	const uint8_t *m = nic->conf.mac;
	char mac[18], *path;
	json_t *d = device(o, "virtio-net-device", "virtio-net-pci");

	snprintf(mac, sizeof(mac), "%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1],
		 m[2], m[3], m[4], m[5]);
	json_object_set_new(d, "netdev", json_string(id));
	json_object_set_new(d, "mac", json_string(mac));
	if (nic->nfds > 1)
		json_object_set_new(d, "mq", json_true());
	if (o->machine != MACHINE_MICROVM) {
		/* The firmware boots from no network. */
		json_object_set_new(d, "romfile", json_string(""));
		/* Each queue, all others, the configuration. */
		json_object_set_new(
			d, "vectors",
			json_integer(2 * (nic->nfds ? nic->nfds : 1) + 2));
	}
	add_json(q, "-device", d);
	if (nic->pcap < 0)
		return;
	path = xasprintf("/proc/self/fd/%d", nic->pcap);
	add_json(q, "-object",
		 json_pack("{s:s,s:o,s:s,s:s}", "qom-type", "filter-dump", "id",
			   json_sprintf("pcap-%s", id), "netdev", id, "file",
			   path));
	free(path);
}

static void
add_nets(struct qemu *q, const struct options *o, const struct net *n)
{
	bool published = false;

	for (unsigned i = 0; i < n->nnics; i++) {
		const struct net_nic *nic = &n->nic[i];
		char id[8];
		json_t *d;

		snprintf(id, sizeof(id), "net%u", i);
		if (nic->kind == NET_TAP) {
			d = tap_net(nic, id);
		} else {
			d = json_pack("{s:s,s:s}", "type", "user", "id", id);
			add_user_net(d, nic);
			if (!published && n->npublish)
				add_publish(d, n);
			published = true;
		}
		add_json(q, "-netdev", d);
		add_nic(q, o, nic, id);
	}
}

static void
add_vsock(struct qemu *q, const struct options *o, int fd)
{
	json_t *d;

	if (fd < 0)
		return;
	if (o->vsock_path) {
		add(q, "-chardev");
		add(q, "socket,id=vsock,fd=%d", fd);
		d = device(o, "vhost-user-vsock-device",
			   "vhost-user-vsock-pci");
		json_object_set_new(d, "chardev", json_string("vsock"));
	} else {
		d = device(o, "vhost-vsock-device", "vhost-vsock-pci");
		json_object_set_new(d, "guest-cid", json_integer(o->vsock_cid));
		json_object_set_new(d, "vhostfd", json_sprintf("%d", fd));
	}
	add_json(q, "-device", d);
}

void
qemu_build(struct qemu *q, const struct options *o, const struct qemu_fds *f,
	   bool kvm)
{
	*q = (struct qemu){ .kvm = kvm };
	q->argv[q->argc++] = qemu_find();
	add(q, "-nodefaults");
	add(q, "-no-user-config");
	add(q, "-display");
	add(q, "none");
	add(q, "-no-reboot");
	/* It has all it needs open when the guest starts. */
	add(q, "-sandbox");
	add(q, "on,obsolete=deny,elevateprivileges=deny,spawn=deny,"
	       "resourcecontrol=deny");
	add_machine(q, o, kvm, f->uart >= 0);
	add(q, "-kernel");
	q->argv[q->argc++] = kernel_find();
	add(q, "-initrd");
	add(q, "/proc/self/fd/%d", f->run_block);
	if (o->no_aslr || o->gdb) {
		/* The kernel places itself before it reads the run block. */
		add(q, "-append");
		add(q, "nokaslr");
	}
	add_disks(q, o, f);
	add_ports(q, o, f);
	add_nets(q, o, f->net);
	add_vsock(q, o, f->vsock);
	add_json(
		q, "-object",
		json_pack("{s:s,s:s}", "qom-type", "rng-builtin", "id", "rng"));
	add_json(q, "-device",
		 json_pack("{s:s,s:s}", "driver",
			   on_bus(o, "virtio-rng-device", "virtio-rng-pci"),
			   "rng", "rng"));
	add_json(q, "-device",
		 json_pack("{s:s,s:i}", "driver", "isa-debug-exit", "iobase",
			   PITH_DEBUG_EXIT_PORT));
	if (o->machine != MACHINE_MICROVM) {
		add_json(q, "-device",
			 json_pack("{s:s}", "driver", "i6300esb"));
		add(q, "-action");
		add(q, "watchdog=inject-nmi");
	}
	if (f->uart >= 0) {
		add(q, "-chardev");
		add(q, "socket,id=uart,fd=%d", f->uart);
		add(q, "-serial");
		add(q, "chardev:uart");
	}
	if (o->gdb) {
		add(q, "-gdb");
		add(q, "tcp:127.0.0.1:%u", o->gdb_port);
		add(q, "-S");
	}
	q->argv[q->argc] = NULL;
}

/* One line that a shell reads back as the same words. */
void
qemu_print(const struct qemu *q)
{
	for (unsigned i = 0; i < q->argc; i++) {
		const char *s = q->argv[i];

		if (i)
			putchar(' ');
		if (*s && !s[strspn(s, "abcdefghijklmnopqrstuvwxyz"
				       "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				       "0123456789-_=+,./:")]) {
			fputs(s, stdout);
			continue;
		}
		putchar('\'');
		for (; *s; s++)
			if (*s == '\'')
				fputs("'\\''", stdout);
			else
				putchar(*s);
		putchar('\'');
	}
	putchar('\n');
}
