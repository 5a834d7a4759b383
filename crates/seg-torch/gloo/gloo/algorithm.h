// Nothing of it is used: c10d's header names it.
#pragma once
