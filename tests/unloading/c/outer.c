/* A library that holds no allocator itself but needs one that does. */
unsigned addon_use(void);

unsigned outer_use(void) { return addon_use(); }
