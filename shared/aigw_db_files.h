/* The files of an LMDB environment; for aigw_db.c only. */

#ifndef AIGW_DB_FILES_H
#define AIGW_DB_FILES_H

#include <sys/stat.h>

#include "aigw.h"


typedef struct {
    struct stat  data;
    struct stat  lock;
    int          has_lock;
} aigw_db_files_t;


/*
 * Looks at data.mdb and lock.mdb in dir. create: there must be none yet
 * (AIGW_EEXIST). Else AIGW_ENOTFOUND, AIGW_EACCESS, AIGW_ECORRUPT: LMDB would
 * make a new file where one is missing, and takes an empty one for new.
 * AIGW_EBUSY: this process has them open (threats S15).
 */
aigw_err_t aigw_db_files_look(const char *dir, int create,
    aigw_db_files_t *files) AIGW_CHECKED;

/*
 * Once LMDB has opened what files is a look at: sets FD_CLOEXEC, which LMDB
 * 0.9.24 leaves off one of them (threats S16). A lock file that it has just
 * made (it was lost, or left out of a backup) gets the group of the data,
 * whose members all need to write it.
 */
void aigw_db_files_opened(const char *dir, int create,
    const aigw_db_files_t *files);

#endif /* AIGW_DB_FILES_H */
