#pragma once
// The client with threads of its own; it must be chosen before the header is read.
#define THREADED 1
#include <zookeeper/zookeeper.h>
