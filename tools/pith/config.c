/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The configuration file: a JSON object whose keys are the long options, and
 * "program", "args" and "aslr".
 *
 * jansson checks the syntax and builds the values; it does not say where a
 * value stood.  So a key that is unknown or of the wrong type is looked up
 * again by a small scanner that walks the text to the n-th key of the outer
 * object and counts lines.  The scanner runs only on text that jansson took.
 */
#include "options.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

struct place {
	unsigned line, column;
};

static const char *
skip_string(const char *p)
{
	for (p++; *p && *p != '"'; p++)
		if (*p == '\\' && p[1])
			p++;
	return *p ? p + 1 : p;
}

/* Where the outer object's key `want` stands.  Only depth 1 counts: a key of
 * the same name inside "env" is the user's own. */
static struct place
find_key(const char *text, const char *want)
{
	struct place at = { 1, 1 };
	unsigned depth = 0;
	const char *p = text;

	while (*p) {
		const char *end = p + 1;

		if (*p == '"') {
			json_t *s;
			const char *after;
			bool hit = false;
			char *word;

			end = skip_string(p);
			after = end + strspn(end, " \t\r\n");
			if (depth == 1 && *after == ':') {
				/* jansson undoes the escapes for us. */
				word = xstrndup(p, end - p);
				s = json_loads(word, JSON_DECODE_ANY, NULL);
				hit = s && !strcmp(json_string_value(s), want);
				json_decref(s);
				free(word);
			}
			if (hit)
				return at;
		} else if (*p == '{' || *p == '[') {
			depth++;
		} else if (*p == '}' || *p == ']') {
			depth--;
		}
		for (; p < end; p++) {
			at.column++;
			if (*p == '\n') {
				at.line++;
				at.column = 1;
			}
		}
	}
	return at;
}

struct source {
	const char *path, *text;
	const char *key; /* as it is written: "klibs" for "klib" */
};

_Noreturn static void
wrong(const struct source *s, const char *key, const char *what)
{
	struct place at;

	if (s->key)
		key = s->key;
	at = find_key(s->text, key);
	die(STATUS_FAILED, "%s, line %u: \"%s\" %s", printable(s->path),
	    at.line, printable(key), what);
}

static bool
key_is(const struct option_def *d, const char *key)
{
	return d->file && !strcmp(d->name, key);
}

/* Names the nearest key, whatever the distance: the list is short. */
_Noreturn static void
unknown(const struct source *s, const char *key)
{
	const char *near = "program";
	unsigned best = edit_distance(key, near), n;

	n = edit_distance(key, "args");
	if (n < best) {
		best = n;
		near = "args";
	}
	for (const struct option_def *d = option_table; d->name; d++) {
		n = edit_distance(key, d->name);
		if (d->file && n < best) {
			best = n;
			near = d->name;
		}
	}
	wrong(s, key,
	      xasprintf("is no key of a configuration; did you mean "
			"\"%s\"?",
			near));
}

static void
set(struct options *o, const struct source *s, const struct option_def *d,
    const char *value)
{
	const char *why = d->set(o, value);

	if (why)
		wrong(s, d->name,
		      xasprintf("is %s: %s", printable(value), why));
}

static void
set_list(struct options *o, const struct source *s, const struct option_def *d,
	 const json_t *v)
{
	size_t i;
	json_t *item;

	if (json_is_string(v)) { /* one is a list, too */
		set(o, s, d, json_string_value(v));
		return;
	}
	if (!json_is_array(v))
		wrong(s, d->name, "must be an array of strings");
	json_array_foreach(v, i, item)
	{
		if (!json_is_string(item))
			wrong(s, d->name, "must be an array of strings");
		set(o, s, d, json_string_value(item));
	}
}

/* An array of "K=V" or "K" is taken too, as on the command line. */
static void
set_map(struct options *o, const struct source *s, const struct option_def *d,
	json_t *v)
{
	const char *name;
	json_t *item;
	char *kv;

	if (json_is_array(v)) {
		set_list(o, s, d, v);
		return;
	}
	if (!json_is_object(v))
		wrong(s, d->name, "must be an object of strings");
	json_object_foreach(v, name, item)
	{
		if (!json_is_string(item))
			wrong(s, d->name, "must be an object of strings");
		kv = xasprintf("%s=%s", name, json_string_value(item));
		set(o, s, d, kv);
		free(kv);
	}
}

/* Each kind of option and the JSON types that it takes. */
static void
set_key(struct options *o, const struct source *s, const struct option_def *d,
	json_t *v)
{
	char *number;

	switch (d->kind) {
	case KIND_FLAG:
		if (!json_is_boolean(v))
			wrong(s, d->name, "must be true or false");
		d->set(o, json_is_true(v) ? "" : NULL);
		return;
	case KIND_LIST:
		set_list(o, s, d, v);
		return;
	case KIND_MAP:
		set_map(o, s, d, v);
		return;
	case KIND_OPTIONAL:
		if (json_is_false(v))
			return;
		if (json_is_true(v)) {
			d->set(o, NULL);
			return;
		}
		break;
	case KIND_NUMBER:
		if (!json_is_integer(v))
			wrong(s, d->name, "must be a whole number");
		/* fall through */
	case KIND_SIZE:
		if (json_is_integer(v)) {
			number = xasprintf("%lld",
					   (long long)json_integer_value(v));
			set(o, s, d, number);
			free(number);
			return;
		}
		break;
	case KIND_STRING:
		break;
	}
	if (!json_is_string(v))
		wrong(s, d->name,
		      d->kind == KIND_SIZE ?
			      "must be a size: a number of bytes or \"512M\"" :
			      "must be a string");
	set(o, s, d, json_string_value(v));
}

static void
set_program(struct options *o, const struct source *s, json_t *v)
{
	if (!json_is_string(v) || !*json_string_value(v))
		wrong(s, "program", "must be a string");
	o->program = xstrdup(json_string_value(v));
}

static void
set_args(struct options *o, const struct source *s, json_t *v)
{
	size_t i;
	json_t *item;

	if (!json_is_array(v))
		wrong(s, "args", "must be an array of strings");
	json_array_foreach(v, i, item)
	{
		if (!json_is_string(item))
			wrong(s, "args", "must be an array of strings");
		strv_add(&o->args, json_string_value(item));
	}
}

void
config_read(struct options *o, const char *path, unsigned command)
{
	const struct option_def *d;
	struct buf text = { 0 };
	struct source s;
	json_error_t e;
	const char *key;
	json_t *top, *v;
	int err;

	(void)command; /* one file serves run and build */
	err = read_file(path, &text);
	if (err)
		die(STATUS_FAILED, "configuration %s: %s", printable(path),
		    strerror(-err));
	top = json_loadb(text.p, text.len, JSON_REJECT_DUPLICATES, &e);
	if (!top)
		die(STATUS_FAILED, "%s, line %d: %s", printable(path), e.line,
		    e.text);
	s = (struct source){ path, text.p, NULL };
	if (!json_is_object(top))
		die(STATUS_FAILED,
		    "%s, line 1: a configuration is a JSON "
		    "object",
		    printable(path));
	json_object_foreach(top, key, v)
	{
		s.key = key;
		if (!strcmp(key, "program")) {
			set_program(o, &s, v);
			continue;
		}
		if (!strcmp(key, "args")) {
			set_args(o, &s, v);
			continue;
		}
		if (!strcmp(key, "aslr")) {
			if (!json_is_boolean(v))
				wrong(&s, key, "must be true or false");
			o->no_aslr = json_is_false(v);
			continue;
		}
		/* what people write */
		const char *known = !strcmp(key, "volumes") ? "volume" :
				    !strcmp(key, "klibs")   ? "klib" :
							      key;

		for (d = option_table; d->name && !key_is(d, known); d++)
			;
		if (!d->name)
			unknown(&s, key);
		set_key(o, &s, d, v);
	}
	json_decref(top);
	buf_free(&text);
}
