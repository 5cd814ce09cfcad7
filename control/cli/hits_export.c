// SPDX-License-Identifier: BSD-2-Clause
// "wireglass hits export": every hit that matches, page by page, as EVE lines, CSV, X-ARF v4 reports or one MISP event.
//
// None of them carries payload, because a hit has none. Ids of X-ARF reports and MISP attributes are made of what names the
// hit (boot, worker, number), so that a hit that is exported twice is known to be the same.
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/eve.h"
#include "control/cli/client.h"
#include "control/cli/csv.h"
#include "control/cli/hits.h"
#include "control/cli/table.h"

enum format { FORMAT_EVE, FORMAT_CSV, FORMAT_XARF, FORMAT_MISP, FORMAT_N };
static const char *const formats[FORMAT_N] = {"eve", "csv", "xarf", "misp"};

enum {
	PAGE = 5000, // hits of one request
};

struct export
{
	struct cli *cli;
	const struct hits_options *o;
	uint64_t written, skipped;
	json_t *attributes; // MISP
	char first[40], last[40];
};

int hits_format(const char *name)
{
	int i = FORMAT_N;

	while (--i >= 0 && strcmp(formats[i], name) != 0) {
	}
	return i;
}

static int print_json(const json_t *json)
{
	int err = json == NULL || json_dumpf(json, stdout, JSON_COMPACT) != 0;

	return err != 0 || putchar('\n') == EOF ? -EIO : 0;
}

// A UUID of version 4's form that is the same for the same hit.
static void uuid_of(char buf[37], const json_t *hit, const char *what)
{
	uint8_t h[16];
	char name[160];
	char *p = buf;

	snprintf(name, sizeof(name), "%s %s %" PRIu64 " %" PRIu64, what, reply_text(hit, "boot_id"),
		 reply_number(hit, "worker"), reply_number(hit, "seq"));
	crypto_generichash(h, sizeof(h), (const uint8_t *)name, strlen(name), NULL, 0);
	h[6] = 0x40 | (h[6] & 0x0f);
	h[8] = 0x80 | (h[8] & 0x3f);
	for (int i = 0; i < 16; i++)
		p += sprintf(p, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", h[i]);
}

// "2026-11-23T13:00:00.123456+0000" -> "2026-11-23T13:00:00.123456Z"
static const char *utc(char buf[40], const json_t *hit)
{
	snprintf(buf, 40, "%.26sZ", reply_text(hit, "time"));
	return buf;
}

// --- EVE ------------------------------------------------------------------------------------------------------------

static void addr_of(const char *text, uint8_t addr[16])
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

	memset(addr, 0, 16);
	if (inet_pton(AF_INET, text, addr + 12) == 1)
		memcpy(addr, mapped, 12);
	else if (inet_pton(AF_INET6, text, addr) != 1)
		memset(addr, 0, 16);
}

static uint64_t time_of(const char *text)
{
	uint64_t ns = 0;
	char seconds[20];

	snprintf(seconds, sizeof(seconds), "%.19s", text);
	(void)cli_time(seconds, false, &ns);
	return ns + (strlen(text) > 26 ? strtoull(text + 20, NULL, 10) * 1000 : 0);
}

static uint16_t flags_of(const json_t *list)
{
	static const char *const names[] = {"gap",       "midstream", "window_short",
					    "truncated", "oneway",    "ambiguous"};
	uint16_t flags = 0;
	const json_t *flag;
	size_t i;

	json_array_foreach(list, i, flag) for (size_t k = 0; k < 6;
					       k++) if (strcmp(names[k], json_string_value(flag)) ==
							0) flags |= (uint16_t)(1u << k);
	return flags;
}

// The hit as it came from the dataplane.
static struct hit hit_of(const json_t *json)
{
	struct hit h = {
		.seq = reply_number(json, "seq"),
		.ts_ns = time_of(reply_text(json, "time")),
		.flow_id = reply_number(json, "flow_id"),
		.offset_bytes = reply_number(json, "offset"),
		.tx_id = (uint32_t)reply_number(json, "tx_id"),
		.generation = (uint32_t)reply_number(json, "generation"),
		.sid = (uint32_t)reply_number(json, "sid"),
		.gid = (uint32_t)reply_number(json, "gid"),
		.rev = (uint32_t)reply_number(json, "rev"),
		.flags = flags_of(json_object_get(json, "flags")),
		.buffer = BUF_N,
		.priority = (uint8_t)reply_number(json, "priority"),
	};
	bool request = strcmp(reply_text(json, "direction"), "to_server") == 0;
	const char *client = reply_text(json, "client_ip"), *server = reply_text(json, "server_ip");
	uint16_t client_port = (uint16_t)reply_number(json, "client_port");
	uint16_t server_port = (uint16_t)reply_number(json, "server_port");
	const json_t *vlan = json_object_get(json, "vlan");

	addr_of(request ? client : server, h.addr.src);
	addr_of(request ? server : client, h.addr.dst);
	h.addr.src_port = request ? client_port : server_port;
	h.addr.dst_port = request ? server_port : client_port;
	h.addr.family = strchr(server, ':') != NULL ? 6 : 4;
	h.addr.proto = IPPROTO_TCP;
	h.addr.dir = request ? DIR_TO_SERVER : DIR_TO_CLIENT;
	h.addr.worker = (uint8_t)reply_number(json, "worker");
	for (size_t i = 0; i < 2; i++)
		h.addr.vlan[i] = (uint16_t)json_integer_value(json_array_get(vlan, i));
	for (unsigned int b = 0; b < BUF_N; b++)
		if (strcmp(buffer_info(b)->keyword, reply_text(json, "buffer")) == 0)
			h.buffer = (uint8_t)b;
	for (unsigned int a = 0; a < APP_N; a++)
		if (strcmp(eve_app_name(a), reply_text(json, "app")) == 0)
			h.app = (uint8_t)a;
	return h;
}

static int put_eve(struct export *e, const json_t *json)
{
	static char line[EVE_LINE_MAX];
	const struct hit hit = hit_of(json);
	const struct eve_rule rule = {
		.msg = reply_text(json, "msg"),
		.classtype = reply_text(json, "classtype"),
		.reference = reply_text(json, "reference"),
		.metadata = reply_text(json, "metadata"),
	};
	const struct eve_context ctx = {
		.bundle = reply_text(json, "bundle"),
		.serial = reply_number(json, "serial"),
		.id = reply_number(json, "id"),
	};

	if (eve_alert(line, sizeof(line), &hit, &rule, &ctx) == 0) {
		e->skipped++;
		return 0;
	}
	e->written++;
	return puts(line) == EOF ? -EIO : 0;
}

// --- CSV (RFC 4180) -------------------------------------------------------------------------------------------------

static const char *const columns[] = {
	"id",        "time",        "state",     "verdict",  "sid",       "gid",
	"rev",       "msg",         "classtype", "priority", "client_ip", "client_port",
	"server_ip", "server_port", "direction", "buffer",   "offset",    "method",
	"host",      "url",         "status",    "bundle",   "serial",    "flow_id",
	"tx_id",     "boot_id",     "worker",    "seq"};
enum {
	COLUMNS = sizeof(columns) / sizeof(columns[0]),
};

static int put_csv(struct export *e, const json_t *json)
{
	for (int i = 0; i < COLUMNS; i++) {
		if (i > 0)
			putchar(',');
		csv_value(json_object_get(json, columns[i]));
	}
	fputs("\r\n", stdout);
	e->written++;
	return ferror(stdout) != 0 ? -EIO : 0;
}

// --- X-ARF v4 -------------------------------------------------------------------------------------------------------

// Content types of the specification that need nothing which a hit does not have.
static bool xarf_type_of(const struct export *e, const json_t *hit, char *buf, size_t size)
{
	static const char *const classtypes[][2] = {
		{"trojan-activity", "malware"},   {"malware-cnc", "malware"},
		{"exploit-kit", "malware"},       {"social-engineering", "phishing"},
		{"credential-theft", "phishing"},
	};

	if (csv_metadata(reply_text(hit, "metadata"), "xarf_type", buf, size))
		return true;
	for (size_t i = 0; i < sizeof(classtypes) / sizeof(classtypes[0]); i++)
		if (strcmp(classtypes[i][0], reply_text(hit, "classtype")) == 0) {
			snprintf(buf, size, "%s", classtypes[i][1]);
			return true;
		}
	if (e->o->xarf_type == NULL)
		return false;
	snprintf(buf, size, "%s", e->o->xarf_type);
	return true;
}

// "http://host/path" as it was asked for; what a URI may not hold is percent-encoded. false: host or path is not known.
static bool url_of(const json_t *hit, char *buf, size_t size)
{
	const char *host = reply_text(hit, "host"), *url = reply_text(hit, "url");
	bool absolute = strncmp(url, "http://", 7) == 0;
	size_t n = 0;

	if (url[0] == '\0' || (host[0] == '\0' && !absolute))
		return false;
	char text[2048];
	snprintf(text, sizeof(text), "%s%s%s%s", absolute ? "" : "http://", absolute ? "" : host,
		 absolute || url[0] == '/' ? "" : "/", url);
	for (const char *p = text; *p != '\0' && n + 4 < size; p++) {
		bool plain = *p > ' ' && *p < 0x7f && strchr("\"<>\\^`{|}", *p) == NULL;
		n += (size_t)sprintf(buf + n, plain ? "%c" : "%%%02X", (unsigned char)*p);
	}
	return true;
}

static json_t *xarf_party(const struct hits_options *o)
{
	return json_pack("{s:s, s:s, s:s}", "org", o->org, "contact", o->contact, "domain",
			 o->domain);
}

static int put_xarf(struct export *e, const json_t *hit)
{
	char id[37], when[40], type[64], url[6200], tag[64], class[16] = "", method[32] = "";

	if (!xarf_type_of(e, hit, type, sizeof(type)) || !url_of(hit, url, sizeof(url))) {
		e->skipped++;
		return 0;
	}
	uuid_of(id, hit, "xarf");
	snprintf(tag, sizeof(tag), "wireglass:sid_%" PRIu64, reply_number(hit, "sid"));
	json_t *report =
		json_pack("{s:s, s:s, s:s, s:o, s:o, s:s, s:I, s:s, s:s, s:s, s:s, s:s, s:[s]}",
			  "xarf_version", "4.0.0", "report_id", id, "timestamp", utc(when, hit),
			  "reporter", xarf_party(e->o), "sender", xarf_party(e->o),
			  "source_identifier", reply_text(hit, "server_ip"), "source_port",
			  (json_int_t)reply_number(hit, "server_port"), "category", "content",
			  "type", type, "evidence_source", "traffic_analysis", "url", url,
			  "description", reply_text(hit, "msg"), "tags", tag);
	// csam and csem ask for a classification, which only the rule's author can give.
	if (csv_metadata(reply_text(hit, "metadata"), "xarf_classification", class, sizeof(class)))
		json_object_set_new(report, "classification", json_string(class));
	if (strcmp(type, "csam") == 0 || strcmp(type, "csem") == 0)
		snprintf(method, sizeof(method), "automated_scan");
	(void)csv_metadata(reply_text(hit, "metadata"), "xarf_detection_method", method,
			   sizeof(method));
	if (method[0] != '\0')
		json_object_set_new(report, "detection_method", json_string(method));
	int err = 0;
	if (strcmp(type, "csam") == 0 && class[0] == '\0') {
		e->skipped++;
	} else {
		e->written++;
		err = print_json(report);
	}
	json_decref(report);
	return err;
}

// --- MISP -----------------------------------------------------------------------------------------------------------

static void misp_add(struct export *e, const json_t *hit, const char *type, const char *value)
{
	char id[37], what[64], comment[160], seconds[24];

	snprintf(what, sizeof(what), "misp %s", type);
	uuid_of(id, hit, what);
	snprintf(comment, sizeof(comment), "sid %" PRIu64 ": %.120s", reply_number(hit, "sid"),
		 reply_text(hit, "msg"));
	snprintf(seconds, sizeof(seconds), "%" PRIu64,
		 time_of(reply_text(hit, "time")) / 1000000000u);
	json_t *a = json_pack("{s:s, s:s, s:s, s:b, s:o, s:s, s:s}", "uuid", id, "type", type,
			      "category", "Network activity", "to_ids", 0, "value",
			      cli_json_text(value), "comment", comment, "timestamp", seconds);
	if (a != NULL)
		json_array_append_new(e->attributes, a);
}

// What the hit says about the server; the address of a client is nobody's indicator.
static int put_misp(struct export *e, const json_t *hit)
{
	char url[6200];

	misp_add(e, hit, "ip-dst", reply_text(hit, "server_ip"));
	if (reply_text(hit, "host")[0] != '\0')
		misp_add(e, hit, "hostname", reply_text(hit, "host"));
	if (url_of(hit, url, sizeof(url)))
		misp_add(e, hit, "url", url);
	if (e->first[0] == '\0')
		utc(e->first, hit);
	utc(e->last, hit);
	e->written++;
	return 0;
}

static int end_misp(struct export *e)
{
	char id[37], info[160], date[11];
	json_t *name = json_pack("{s:s, s:I, s:I}", "boot_id", e->first, "worker",
				 (json_int_t)e->written, "seq", (json_int_t)0);

	uuid_of(id, name, e->last);
	json_decref(name);
	snprintf(date, sizeof(date), "%.10s", e->first[0] != '\0' ? e->first : "1970-01-01");
	snprintf(info, sizeof(info), "wireglass: %" PRIu64 " hits", e->written);
	// distribution 0: only the own organisation; analysis 0: initial; threat level 4: undefined
	json_t *event =
		json_pack("{s:{s:s, s:s, s:s, s:s, s:s, s:s, s:b, s:O}}", "Event", "uuid", id,
			  "info", info, "date", date, "distribution", "0", "analysis", "0",
			  "threat_level_id", "4", "published", 0, "Attribute", e->attributes);
	int err = print_json(event);
	json_decref(event);
	return err;
}

// --- all ------------------------------------------------------------------------------------------------------------

static int put_page(struct export *e, const json_t *hits)
{
	static int (*const put[FORMAT_N])(struct export *, const json_t *) = {
		[FORMAT_EVE] = put_eve,
		[FORMAT_CSV] = put_csv,
		[FORMAT_XARF] = put_xarf,
		[FORMAT_MISP] = put_misp,
	};
	const json_t *hit;
	size_t i;

	json_array_foreach(hits, i, hit)
	{
		if (put[e->o->format](e, hit) != 0)
			return cli_error(e->cli, CLI_FAILED, "io", "cannot write: %s",
					 strerror(errno));
	}
	return CLI_OK;
}

// All pages, oldest first. Hits that come in the meantime are left for the next export.
static int put_all(struct export *e)
{
	struct ipc_admin_req req = e->o->req;
	uint64_t left = e->o->limit != 0 ? e->o->limit : UINT64_MAX;
	size_t n;

	req.command = IPC_ADMIN_HITS_LIST;
	req.flags |= IPC_ADMIN_OLDEST;
	do {
		json_t *reply;
		req.limit = left < PAGE ? (uint32_t)left : PAGE;
		int code = client_request(e->cli, &req, -1, &reply);
		if (code != CLI_OK)
			return code;
		const json_t *hits = json_object_get(reply, "hits");
		n = json_array_size(hits);
		if (req.before == 0)
			req.before = reply_number(reply, "last_id") + 1;
		if (n > 0)
			req.since = reply_number(json_array_get(hits, n - 1), "id");
		left -= n;
		code = put_page(e, hits);
		json_decref(reply);
		if (code != CLI_OK)
			return code;
	} while (n == req.limit && left > 0);
	return CLI_OK;
}

int hits_export(struct cli *cli, const struct hits_options *o)
{
	struct export e = {.cli = cli, .o = o};

	if (o->format < 0)
		return cli_error(cli, CLI_USAGE, "usage",
				 "export needs --format eve, csv, xarf or misp");
	if (o->format == FORMAT_XARF && (o->org == NULL || o->contact == NULL || o->domain == NULL))
		return cli_error(cli, CLI_USAGE, "usage",
				 "X-ARF says who reports: --org NAME --contact MAIL --domain NAME");
	if (sodium_init() < 0)
		return cli_error(cli, CLI_FAILED, "internal", "libsodium does not start");
	e.attributes = json_array();
	if (o->format == FORMAT_CSV)
		csv_header(columns, COLUMNS);
	int code = put_all(&e);
	if (code == CLI_OK && o->format == FORMAT_MISP && end_misp(&e) != 0)
		code = cli_error(cli, CLI_FAILED, "io", "cannot write: %s", strerror(errno));
	json_decref(e.attributes);
	if (code == CLI_OK && fflush(stdout) != 0)
		code = cli_error(cli, CLI_FAILED, "io", "cannot write: %s", strerror(errno));
	if (code == CLI_OK && e.skipped > 0) {
		fprintf(stderr,
			"wireglass: %" PRIu64 " of %" PRIu64 " hits could not be written as %s%s\n",
			e.skipped, e.skipped + e.written, formats[o->format],
			o->format == FORMAT_XARF
				? ": URL, type or classification is not known (see "
				  "wireglass help hits)"
				: "");
		code = CLI_PARTIAL;
	}
	return code;
}
