//! Input that is broken or hostile: a clear error that names file, line and key, bounded memory, nothing lost.
