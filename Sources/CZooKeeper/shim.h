#pragma once
// The client with threads of its own; it must be chosen before the header is read.
#define THREADED 1
#include <zookeeper/zookeeper.h>

// Swift takes C's global variables for mutable state that any thread may write; these two are never written.

/// Everyone may do everything.
static inline const struct ACL_vector *almanac_zk_open_acl(void) { return &ZOO_OPEN_ACL_UNSAFE; }

/// Only who has the credentials of the node's creator may do anything.
static inline const struct ACL_vector *almanac_zk_creator_acl(void) { return &ZOO_CREATOR_ALL_ACL; }
