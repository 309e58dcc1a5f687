/* Private to `aigw explain`: the call in question, and the rules it meets. */

#ifndef CMD_EXPLAIN_H
#define CMD_EXPLAIN_H

#include "aigw_hold.h"
#include "aigw_verdict.h"
#include "cli.h"


typedef struct {
    const cli_t     *cli;
    cJSON           *rules;
    aigw_key_t       key;
    aigw_project_t   project;
    aigw_user_t      user;
    int64_t          spent[AIGW_LIVE_LEVELS];
    int64_t          held[AIGW_LIVE_LEVELS];
    int64_t          quota[AIGW_LIVE_LEVELS];
    aigw_called_t    called;
    aigw_price_t     price;
    int64_t          prompt;          /* tokens */
    int64_t          own;             /* limit of one output, or -1 */
    int64_t          outputs;
    aigw_hold_t      hold;
    aigw_verdict_t   verdict;
    const char      *binds;           /* the rule; NULL: none says no */
    const char      *account;         /* that stands in the way, or NULL */
} check_t;


extern const char  *const explain_levels[AIGW_LIVE_LEVELS];


/* check has what is above the call: adds each rule, in the gateway's order, to
   check->rules, made here, and notes the first that says no. */
cli_exit_t explain_rules(check_t *check, const char *model);

#endif /* CMD_EXPLAIN_H */
