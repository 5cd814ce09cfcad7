// SPDX-License-Identifier: BSD-2-Clause
// JSON exports. Their shapes differ, so what counts is taken wherever it stands: an object that says a type and a value
// (ThreatExchange's indicators and descriptors, HMA's signals), or members whose names are those of digests, URLs, hosts.
// Several documents may follow each other.
#include "rules/import.h"

#include <errno.h>
#include <string.h>

#include <jansson.h>

enum {
	DEPTH_MAX = 32,
};

struct walk {
	struct import *im;
	const char *name;
};

static const char *member(const json_t *object, const char *const *names)
{
	for (; *names != NULL; names++) {
		const char *s = json_string_value(json_object_get(object, *names));

		if (s != NULL)
			return s;
	}
	return NULL;
}

static struct span span_text(const char *s)
{
	return span_of(s, strlen(s));
}

static bool is_withdrawn(const json_t *object)
{
	return json_is_true(json_object_get(object, "should_delete")) ||
	       json_is_true(json_object_get(object, "deleted")) ||
	       json_is_true(json_object_get(object, "is_deleted"));
}

// A value whose kind has a name.
static int take_named(struct walk *w, struct span type, struct span value)
{
	int kind = import_kind_of(type);

	import_count(w->im);
	if (kind >= 0)
		return import_value(w->im, w->name, 0, kind, value);
	import_refuse(w->im, w->name, 0,
		      kind == -ENOTSUP ? import_not_exact : "is of a type that is not matched");
	return 0;
}

static int walk(struct walk *w, const json_t *at, int kind, int depth);

static int walk_object(struct walk *w, json_t *object, int depth)
{
	static const char *const type_names[] = {"type", "signal_type", "indicator_type",
						 "hash_type", NULL};
	static const char *const value_names[] = {
		"indicator",  "raw_indicator", "signal_value", "signal",
		"hash_value", "hash",          "value",        NULL};
	const char *type = member(object, type_names), *value = member(object, value_names), *key;
	json_t *child;
	int err = 0;

	if (is_withdrawn(object)) {
		w->im->withdrawn++;
		return 0;
	}
	if (type != NULL && value != NULL)
		return take_named(w, span_text(type), span_text(value));
	json_object_foreach(object, key, child)
	{
		int kind = import_kind_of(span_text(key));

		if (err != 0)
			break;
		if (json_is_string(child) && (kind >= 0 || kind == -ENOTSUP))
			err = take_named(w, span_text(key), span_text(json_string_value(child)));
		else if (json_is_object(child) || json_is_array(child))
			err = walk(w, child, kind, depth + 1);
	}
	return err;
}

// kind: of the strings of an array, -ENOENT: by their form.
static int walk(struct walk *w, const json_t *at, int kind, int depth)
{
	int err = 0;

	if (depth > DEPTH_MAX) {
		import_refuse(w->im, w->name, 0, "is nested too deeply");
		return 0;
	}
	if (json_is_object(at)) {
		union { // jansson iterates over objects that are not const only
			const json_t *from;
			json_t *to;
		} p = {.from = at};

		return walk_object(w, p.to, depth);
	}
	for (size_t i = 0; i < json_array_size(at) && err == 0; i++) {
		const json_t *child = json_array_get(at, i);

		if (!json_is_string(child)) {
			err = walk(w, child, kind, depth + 1);
			continue;
		}
		import_count(w->im);
		if (kind == -ENOTSUP)
			import_refuse(w->im, w->name, 0, import_not_exact);
		else
			err = import_value(w->im, w->name, 0, kind < 0 ? -1 : kind,
					   span_text(json_string_value(child)));
	}
	return err;
}

int import_json(struct import *im, const char *name, struct span text, struct diag *ret_diag)
{
	struct walk w = {.im = im, .name = name};
	int err = 0;

	while (err == 0) {
		json_error_t error;
		json_t *doc;

		while (text.len > 0 && (text.data[0] <= ' ' || text.data[0] == ','))
			text = span_from(text, 1);
		if (text.len == 0)
			break;
		doc = json_loadb((const char *)text.data, text.len, JSON_DISABLE_EOF_CHECK, &error);
		if (doc == NULL) {
			diag_set(ret_diag, name, error.line > 0 ? (unsigned int)error.line : 0,
				 error.column > 0 ? (unsigned int)error.column : 0,
				 "is not valid JSON: %s", error.text);
			return -EBADMSG;
		}
		err = walk(&w, doc, -ENOENT, 0);
		json_decref(doc);
		text = span_from(text, (size_t)error.position);
	}
	return err;
}
