/* A C program made of the addon's archive: its threads have magazines. */
#include <pthread.h>
#include <stdio.h>

unsigned addon_use(void);
unsigned addon_cached(void);

static unsigned slots, cached;

static void *use(void *nothing) {
    slots = addon_use();
    cached = addon_cached();
    return nothing;
}

int main(void) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, use, NULL) != 0 || pthread_join(thread, NULL) != 0)
        return 1;
    printf("program: %u slots, %u cached\n", slots, cached);
    return slots == 4 && cached > 0 && addon_cached() == 0 ? 0 : 1;
}
