/* A C library made of the addon's archive. EARLY: one of its constructors allocates, as early as a program may ask for. VANISHING: before any other
   constructor runs, one deletes the library's file and changes the directory. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <unistd.h>

unsigned addon_use(void);

/* Takes the addon out of the archive. */
void *glue[] = {(void *)addon_use};

#ifdef EARLY
__attribute__((constructor(101))) static void allocate(void) { addon_use(); }
#endif

#ifdef VANISHING
__attribute__((constructor(1))) static void vanish(void) {
    Dl_info info;
    if (dladdr(glue, &info) == 0 || unlink(info.dli_fname) != 0 || chdir("/") != 0)
        _exit(1);
}
#endif
