/* aigw_err_t: its texts, and which of them a system error is. */

#include <errno.h>

#include "aigw.h"


const char *
aigw_strerror(aigw_err_t err)
{
    switch (err) {
    case AIGW_OK:         return "no error";
    case AIGW_AGAIN:      return "try again";
    case AIGW_ENOTFOUND:  return "not found";
    case AIGW_EEXIST:     return "already exists";
    case AIGW_EINVAL:     return "invalid value";
    case AIGW_ERANGE:     return "out of range";
    case AIGW_ENOMEM:     return "out of memory";
    case AIGW_EIO:        return "input/output error";
    case AIGW_EFULL:      return "no room left";
    case AIGW_ECORRUPT:   return "corrupt data";
    case AIGW_EVERSION:   return "other schema version";
    case AIGW_EACCESS:    return "permission denied";
    case AIGW_EBUSY:      return "busy";
    case AIGW_ECRYPTO:    return "cryptographic failure";
    case AIGW_ELAST:      return "the last enabled admin";
    }

    return "unknown error";
}


aigw_err_t
aigw_from_errno(int error)
{
    errno = error;

    switch (error) {
    case ENOENT:
    case ENOTDIR:   return AIGW_ENOTFOUND;
    case EEXIST:
    case ENOTEMPTY: return AIGW_EEXIST;
    case EACCES:
    case EPERM:
    case EROFS:
    case ELOOP:     return AIGW_EACCESS;
    case ENOMEM:    return AIGW_ENOMEM;
    default:        return AIGW_EIO;
    }
}
