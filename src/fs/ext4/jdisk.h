/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jbd2's structures on disk, big-endian (kernel.org, "ext4 Data Structures
 * and Algorithms", 3.6 "Journal (jbd2)").
 */
#pragma once

#include <base/compiler.h>
#include <base/types.h>

#define JBD2_MAGIC 0xc03b3998u

enum jbd2_type {
	JBD2_DESCRIPTOR = 1,
	JBD2_COMMIT = 2,
	JBD2_SUPER_V1 = 3,
	JBD2_SUPER_V2 = 4,
	JBD2_REVOKE = 5,
};

struct jbd2_header {
	uint32_t h_magic, h_blocktype, h_sequence;
};

struct jbd2_super {
	struct jbd2_header s_header;
	uint32_t s_blocksize, s_maxlen, s_first;
	uint32_t s_sequence, s_start, s_errno;
	/* only in version 2 */
	uint32_t s_feature_compat, s_feature_incompat, s_feature_ro_compat;
	uint8_t s_uuid[16];
	uint32_t s_nr_users, s_dynsuper, s_max_transaction, s_max_trans_data;
	uint8_t s_checksum_type, s_padding2[3];
	uint32_t s_num_fc_blks, s_head;
	uint32_t s_padding[40];
	uint32_t s_checksum;
	uint8_t s_users[768];
};
static_assert(offsetof(struct jbd2_super, s_uuid) == 0x30, "s_uuid");
static_assert(offsetof(struct jbd2_super, s_checksum_type) == 0x50, "type");
static_assert(offsetof(struct jbd2_super, s_checksum) == 0xfc, "s_checksum");
static_assert(sizeof(struct jbd2_super) == 1024, "journal superblock");

#define JBD2_COMPAT_CHECKSUM	   0x1u
#define JBD2_INCOMPAT_REVOKE	   0x1u
#define JBD2_INCOMPAT_64BIT	   0x2u
#define JBD2_INCOMPAT_ASYNC_COMMIT 0x4u
#define JBD2_INCOMPAT_CSUM_V2	   0x8u
#define JBD2_INCOMPAT_CSUM_V3	   0x10u
#define JBD2_INCOMPAT_FAST_COMMIT  0x20u
#define JBD2_INCOMPAT_KNOWN                                   \
	(JBD2_INCOMPAT_REVOKE | JBD2_INCOMPAT_64BIT |         \
	 JBD2_INCOMPAT_ASYNC_COMMIT | JBD2_INCOMPAT_CSUM_V2 | \
	 JBD2_INCOMPAT_CSUM_V3)
#define JBD2_CRC32C 4 /* s_checksum_type */

struct jbd2_tag3 { /* with CSUM_V3 */
	uint32_t t_blocknr, t_flags, t_blocknr_high, t_checksum;
};
struct jbd2_tag {
	uint32_t t_blocknr;
	uint16_t t_checksum, t_flags;
	uint32_t t_blocknr_high; /* with 64BIT */
};
#define JBD2_TAG_ESCAPE	   1u
#define JBD2_TAG_SAME_UUID 2u
#define JBD2_TAG_LAST	   8u

struct jbd2_commit {
	struct jbd2_header h;
	uint8_t h_chksum_type, h_chksum_size, h_padding[2];
	uint32_t h_chksum[8];
	uint64_t h_commit_sec;
	uint32_t h_commit_nsec;
};
static_assert(offsetof(struct jbd2_commit, h_chksum) == 0x10, "h_chksum");
static_assert(offsetof(struct jbd2_commit, h_commit_sec) == 0x30, "sec");

struct jbd2_revoke {
	struct jbd2_header h;
	uint32_t r_count; /* bytes used, this header counted */
};
