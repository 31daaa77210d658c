/* SPDX-License-Identifier: Apache-2.0
 *
 * Election and leases of one VSD group, once more and by other hands: two members, two HA links, every combination of a
 * few faults at every moment. README.md says what is left out, and what a tick means.
 *
 * One process: each turn of its loop is a tick. The adversary chooses faults, time goes on, both members run in either
 * order. All times are distances from now that stop counting where they make no more difference, so that the states
 * are finitely many and the search visits them all. Names and rules are those of userspace/core; the functions there
 * that a piece of this model mirrors are named at it.
 */

#ifndef Q
#define Q 2          /* ticks in an hb-interval */
#endif
#define LIMIT  (3 * Q)         /* hb-threshold 3: silence that means death */
#define LEASE  (LIMIT - Q / 2)
#define GRACE  (LEASE - Q)     /* of a long lease, from a peer's first frame */
#define HOLD   (5 * Q)         /* the shortest initial hold there is */
#define PATIENCE (2 * LIMIT + Q + HOLD)
#define MISSED (Q * 3 / 2)     /* silence of a master that its peer warns of */
#define NUDGE  (Q * 5 / 4)     /* silence of a peer that makes us speak at once */
#ifndef APART
#define APART  (Q * 3 / 2)
#endif
#ifndef AFTERMATH
#define AFTERMATH LIMIT
#endif
#define LONG   255             /* the lease of who is alone: does not end within the time considered */
#define SAT    (MAX_FREEZE + MAX_DELAY + 2)    /* ages count up to here */
#define MAIL   5

/* How many faults of each kind one run may have. */
#ifndef CUTS
#define CUTS 2        /* a direction of one link, or of both at once, falls silent; until any later tick */
#endif
#ifndef DELAYS
#define DELAYS 1      /* a heartbeat is kept back on one link, or on both */
#endif
#ifndef FREEZES
#define FREEZES 1     /* a member stands still: process stopped, or machine */
#endif
#ifndef CRASHES
#define CRASHES 1     /* a daemon dies, with its leases left in the data path or, the machine, without */
#endif
#ifndef SKEWS
#define SKEWS 0       /* a clock misses a tick */
#endif
#ifndef COMMANDS
#define COMMANDS 0    /* the master is told to hand over */
#endif
#define MAX_FREEZE (LIMIT + Q)
#define MAX_DELAY  Q
#ifndef BOUND
#define BOUND (20 * Q)      /* ticks from the last fault's end until one master stands for good */
#endif

#define INITIAL 0
#define BACKUP  1
#define PRIMARY 2
#define MASTER  3

typedef Heartbeat {
  bit used;
  bit old;            /* from a run of its sender's daemon that has ended */
  bit handed;         /* handed_to names the receiver */
  byte state;
  byte term;
  byte age;           /* since it was sent */
  byte age_own;       /* the same by its sender's clock */
  bit hears;          /* struct Hearing: the sender hears the receiver */
  bit former;         /* a run of it that has ended since */
  byte silence;       /* how much of its patience is used up */
  byte acked;         /* since the receiver sent what is acknowledged, by the receiver's clock */
  byte pardon         /* silence that the sender ascribes to itself */
}

typedef Member {
  bit up;             /* the daemon runs */
  bit frozen;
  bit changed;        /* something to say at once */
  bit handed;         /* the VSD was handed to the other one */
  byte state;
  byte term;
  byte seen;          /* the highest term anybody spoke of */
  byte slot;          /* ticks to the next heartbeat */
  byte late;          /* how long that was due already when we could run again */
  byte hold;
  byte listen;
  byte catching;
  byte doubt;         /* 0: none; else one more than the ticks left */
  byte wait;          /* the same: patience with a better candidate */
  byte yield;
  byte alone_from;
  bit hears;          /* what the peer said of us last */
  bit missing;
  bit heard_us;       /* it has said so in this life of it */
  byte former;        /* it spoke of our former run: 0 or one more than what that leaves of a lease */
  byte acked;
  byte acked_pardon;
  byte deaf;          /* 0, or one more than since when it says that it misses us, or does not say that it hears us */
  byte stand;         /* ticks until the others know by what they rank us */
  byte resumed;       /* the same: of the lease that an earlier run left */
  byte nudge;         /* no nudging for so long */
  byte spoke;         /* since our last heartbeat */
  byte granted;
  /* the data path */
  byte lease;
  bit has_grace;
  bit peer_seen;
  byte grace;
  /* what is known of the peer */
  bit known;
  bit alive;
  bit gone;           /* that was its former run */
  bit p_handed;
  byte p_state;
  byte p_term;
  byte silent;
  byte pardon;        /* of that, our own lateness */
  byte p_age;         /* since it sent what we have heard last */
  byte p_age_own      /* the same by its clock: what we acknowledge */
}

Member m[2];
Heartbeat mail[10];   /* mail[MAIL * i …]: arrived at i, not read yet */
Heartbeat kept[4];    /* kept[2 * i + l]: sent by i, kept back on link l */
bit cut[4];           /* the same: link l, direction from i */
byte undelivered[2];  /* from i: ticks since a heartbeat arrived */

byte cuts = CUTS, delays = DELAYS, freezes = FREEZES, crashes = CRASHES, skews = SKEWS, commands = COMMANDS;
byte w, keep, slow = 2;
bit peace;
byte together;        /* since the members were apart */
byte calm, settled = 2;
/* scratch, zero whenever a state is stored */
byte i, j, k, o, link, lateness;
bit better, stands, deaf, was_kept;
Heartbeat news;

#define AT(member, n) (MAIL * (member) + (n))
#define OUT(member, on) (2 * (member) + (on))

#ifdef NO_LEASE
#define IN_FORCE(a) (m[a].state == MASTER)
#else
#define IN_FORCE(a) (m[a].lease > 0 && !(m[a].has_grace && m[a].peer_seen && m[a].grace == 0))
#endif

#define QUIET (!cut[0] && !cut[1] && !cut[2] && !cut[3] && !kept[0].used && !kept[1].used && !kept[2].used && \
               !kept[3].used && m[0].up && m[1].up && !m[0].frozen && !m[1].frozen)

#define DOWN(field) if :: field > 0 -> field-- :: else fi
#define UP(field, most) if :: field < most -> field++ :: else fi

inline clear(h) {
  h.used = 0; h.old = 0; h.handed = 0; h.state = 0; h.term = 0; h.age = 0; h.age_own = 0;
  h.hears = 0; h.former = 0; h.silence = 0; h.acked = 0; h.pardon = 0
}

inline copy(to, from) {
  to.used = 1; to.old = from.old; to.handed = from.handed; to.state = from.state; to.term = from.term;
  to.age = from.age; to.age_own = from.age_own;
  to.hears = from.hears; to.former = from.former; to.silence = from.silence; to.acked = from.acked;
  to.pardon = from.pardon
}

/* Safety. Two leases are in force only where no member could know: while the two are apart, nothing having arrived
 * in either direction for APART, and until AFTERMATH after that. Put the other way round: while of any APART ticks at
 * least one brings a heartbeat in one direction or the other, leases never overlap. */
inline check() { assert(!(IN_FORCE(0) && IN_FORCE(1)) || together <= AFTERMATH) }

/* ---- the network ---- */

/* A heartbeat reaches the box of `o`: the HA program stamps a long lease; the socket holds it for the daemon. A second
 * copy says nothing new. */
inline deliver(h) {
  if :: m[o].up || IN_FORCE(o) -> undelivered[1 - o] = 0 :: else fi;
  if
  :: m[o].has_grace && !m[o].peer_seen -> m[o].peer_seen = 1; m[o].grace = GRACE
  :: else
  fi;
  if
  :: m[o].up ->
     j = 0;
     do
     :: j < MAIL - 1 && mail[AT(o, j)].used && !(mail[AT(o, j)].age == h.age && mail[AT(o, j)].old == h.old) -> j++
     :: else -> break
     od;
     copy(mail[AT(o, j)], h)
  :: else
  fi;
  j = 0
}

/* ---- a member; w is it, o the other one ---- */

inline step_down() {
  m[w].state = BACKUP; m[w].stand = Q / 2;
  m[w].lease = 0; m[w].has_grace = 0; m[w].peer_seen = 0; m[w].grace = 0; m[w].granted = 0;
  m[w].doubt = 0; m[w].resumed = 0;
  m[w].changed = 1
}

inline lapse() {                       /* lease.cc */
  step_down();
  m[w].listen = LIMIT;
  if :: m[w].alive -> m[w].pardon = m[w].pardon + m[w].silent; m[w].silent = 0 :: else fi
}

#define ALONE (!m[w].alive && m[w].alone_from == 0)

/* lease.cc, patience_of and lease_cap: what is left of the peer's patience, as it says itself; LONG: no word of it */
inline find_cap() {
  k = LONG;
#ifndef NO_ACK
  if
  :: m[w].alive && m[w].p_state == MASTER && m[w].deaf > 0 -> k = (LEASE + 1 > m[w].deaf -> LEASE + 1 - m[w].deaf : 0)
  :: m[w].alive && m[w].p_state != MASTER && m[w].hears && m[w].missing ->
     k = (m[w].acked < LEASE + m[w].acked_pardon -> LEASE + m[w].acked_pardon - m[w].acked : 0)
  :: m[w].alive && m[w].p_state != MASTER && !m[w].hears && m[w].former > 0 -> k = m[w].former - 1
  :: m[w].alive && m[w].p_state != MASTER && !m[w].hears && m[w].former == 0 ->
     k = (m[w].p_state == INITIAL && !m[w].heard_us -> LEASE : Q / 2);
     k = (k + 1 > m[w].deaf -> k + 1 - m[w].deaf : 0)
  :: else
  fi;
  if :: m[w].resumed > 0 && m[w].resumed - 1 < k -> k = m[w].resumed - 1 :: else fi
#endif
}

inline check_cap() {
  if
  :: m[w].state == MASTER ->
     if :: ALONE || (m[w].alive && m[w].hears) -> m[w].resumed = 0 :: else fi;
     find_cap();
     if :: !ALONE && k == 0 -> lapse() :: else fi;
     k = 0
  :: else
  fi
}

/* A lease counts from the last heartbeat. */
inline grant() {
  m[w].granted = 0;
  if
  :: ALONE ->
     if :: m[w].spoke == 0 || !m[w].has_grace -> m[w].peer_seen = 0; m[w].grace = 0 :: else fi;
     m[w].lease = LONG; m[w].has_grace = 1
  :: else ->
     find_cap();
     m[w].lease = (LEASE - m[w].spoke < k -> LEASE - m[w].spoke : k);
     m[w].has_grace = 0; m[w].peer_seen = 0; m[w].grace = 0;
     k = 0
  fi
}

inline enter() {                       /* member.cc, peers.cc: forgive */
  lateness = m[w].late;
  if
  :: lateness > Q / 2 ->
     m[w].catching = Q;
     k = (m[w].silent < lateness -> m[w].silent : lateness);
     m[w].silent = m[w].silent - k; m[w].pardon = m[w].pardon + k; k = 0;
     if :: m[w].pardon > LIMIT -> m[w].pardon = LIMIT :: else fi;
     if :: m[w].hold > 0 -> m[w].hold = m[w].hold + lateness :: else fi;
     if :: m[w].hold > HOLD -> m[w].hold = HOLD :: else fi;
     if :: m[w].listen > 0 -> m[w].listen = m[w].listen + lateness :: else fi;
     if :: m[w].listen > LIMIT -> m[w].listen = LIMIT :: else fi
  :: else
  fi;
#ifndef NO_LEASE
  if
  :: m[w].state == MASTER && m[w].lease == 0 -> lapse()
  :: m[w].state == MASTER && m[w].lease > 0 && m[w].doubt == 1 ->
     if
     :: lateness > Q / 2 -> m[w].doubt = Q + 1
     :: else -> m[w].doubt = 0; m[w].changed = 1
     fi
  :: m[w].state == MASTER && m[w].lease > 0 && m[w].doubt == 0 && m[w].has_grace && m[w].granted > GRACE ->
     m[w].doubt = Q + 1
  :: else
  fi;
#endif
  lateness = 0
}

inline hear(h) {                       /* peers.cc */
  if
  :: m[w].known && h.old == m[w].gone && h.age >= m[w].p_age -> skip    /* a copy, or late */
  :: m[w].known && h.old && !m[w].gone -> skip                          /* of a run that has ended */
  :: else ->
     if :: h.old != m[w].gone -> m[w].gone = h.old; m[w].alive = 0 :: else fi;
     if
     :: !m[w].alive -> m[w].alive = 1; m[w].changed = 1; m[w].heard_us = 0; m[w].deaf = 0; m[w].wait = 0
     :: else
     fi;
     m[w].known = 1;
     m[w].seen = (h.term > m[w].seen -> h.term : m[w].seen);
     m[w].p_state = h.state; m[w].p_term = h.term; m[w].p_handed = h.handed;
     m[w].p_age = h.age; m[w].p_age_own = h.age_own;
     m[w].silent = 0; m[w].pardon = 0;
     m[w].hears = h.hears; m[w].missing = h.hears && h.silence >= MISSED;
     m[w].acked = h.acked; m[w].acked_pardon = h.pardon;
     m[w].former = (h.former && LEASE > h.silence -> LEASE - h.silence + 1 : (h.former -> 1 : 0));
     if
     :: h.hears && h.silence < NUDGE -> m[w].deaf = 0; m[w].heard_us = 1
     :: else ->
        if :: h.hears -> m[w].changed = 1; m[w].heard_us = 1 :: else fi;
        if :: m[w].deaf == 0 -> m[w].deaf = 1 :: else fi
     fi;
     if :: m[w].doubt > 0 -> lapse() :: else fi
  fi
}

inline meet_other_master() {           /* conflict.cc; member 0 has the better priority */
  if
  :: m[w].alive && m[w].p_state == MASTER &&
           (m[w].p_term > m[w].term || (m[w].p_term == m[w].term && w == 1)) -> step_down()
  :: else
  fi
}

inline promote() {                     /* lease.cc */
  m[w].seen++;
  m[w].term = m[w].seen;
  m[w].wait = 0; m[w].listen = 0; m[w].handed = 0; m[w].yield = 0; m[w].resumed = 0;
  m[w].state = MASTER;
  m[w].changed = 1;
  m[w].spoke = 0;
  grant()
}

#define NAMED (m[w].known && m[w].p_handed && m[w].p_state != MASTER && m[w].silent < LIMIT && \
               m[w].p_term >= m[w].seen)

inline elect() {                       /* election.cc */
  find_cap();
  stands = m[w].hold == 0 && m[w].listen == 0 && m[w].catching == 0 && !m[w].handed && k > Q / 2 &&
           (m[w].stand == 0 || NAMED);
  deaf = m[w].silent >= MISSED || k <= Q / 2;
  k = 0;
  better = m[w].alive && !m[w].p_handed && m[w].wait != 1 && !(stands && NAMED) &&
           (!stands || deaf || (m[w].p_state == PRIMARY && m[w].state != PRIMARY) ||
            ((m[w].p_state == PRIMARY) == (m[w].state == PRIMARY) && w == 1));
  deaf = 0;
  if
  :: better -> if :: m[w].wait == 0 -> m[w].wait = PATIENCE + 1 :: else fi
  :: !better && stands -> promote()
  :: else
  fi;
  if
  :: m[w].state == INITIAL && m[w].hold == 0 -> m[w].state = BACKUP; m[w].stand = Q / 2; m[w].changed = 1
  :: else
  fi;
  stands = 0; better = 0
}

inline decide() {
  if
  :: m[w].handed && !(m[w].yield > 0 && m[w].alive && m[w].p_state != MASTER) -> m[w].handed = 0; m[w].yield = 0
  :: else
  fi;
  if
  :: m[w].alive && m[w].p_state == MASTER ->
     m[w].wait = 0; m[w].listen = 0;
     if
     :: m[w].state != PRIMARY -> m[w].state = PRIMARY; m[w].stand = Q / 2; m[w].changed = 1
     :: else
     fi
  :: else ->
     if :: m[w].state != INITIAL && NAMED -> m[w].listen = 0 :: else fi;
     elect()
  fi
}

inline settle() {                      /* member.cc */
  if
  :: m[w].alive && m[w].silent >= LIMIT ->
     m[w].alive = 0; m[w].changed = 1;
     /* nothing of this is looked at again before it is overwritten */
     m[w].hears = 0; m[w].missing = 0; m[w].heard_us = 0; m[w].former = 0; m[w].acked = 0; m[w].acked_pardon = 0;
     m[w].deaf = 0; m[w].nudge = 0
  :: else
  fi;
  if :: m[w].alive && m[w].silent >= NUDGE && m[w].nudge == 0 -> m[w].nudge = Q; m[w].changed = 1 :: else fi;
  check_cap();
  if :: m[w].state == MASTER -> meet_other_master() :: else fi;
  if
  :: m[w].state == MASTER || (m[w].state == INITIAL && m[w].hold > 0) -> skip
  :: else -> decide()
  fi;
  if :: m[w].state == MASTER && m[w].doubt == 0 -> grant() :: else fi
}

inline compose(h) {
  h.used = 1; h.old = 0; h.age = 0; h.age_own = 0;
  h.handed = m[w].handed;
  h.state = m[w].state;
  h.term = (m[w].state == MASTER -> m[w].term : m[w].seen);
  if
  :: m[w].alive ->
     h.hears = !m[w].gone; h.former = m[w].gone; h.silence = m[w].silent;
     if :: !m[w].gone -> h.acked = m[w].p_age_own; h.pardon = m[w].pardon :: else fi
  :: else
  fi
}

/* On both links. What the adversary keeps back is on its way until it likes to deliver it. */
inline speak() {                       /* heartbeat.cc */
  if
  :: (m[w].slot == 0 || m[w].changed) && m[w].doubt == 0 ->
     if :: m[w].slot == 0 -> m[w].slot = Q :: else fi;
     m[w].changed = 0;
     m[w].spoke = 0;
     if :: m[w].state == MASTER && m[w].doubt == 0 -> grant() :: else fi;
     do
     :: link < 2 ->
        if
        :: cut[OUT(w, link)] -> skip
        :: !cut[OUT(w, link)] && ((keep >> link) & 1) && !kept[OUT(w, link)].used -> compose(kept[OUT(w, link)]); was_kept = 1
        :: else -> compose(news); deliver(news); clear(news)
        fi;
        link++
     :: else -> break
     od;
     link = 0
  :: else
  fi
}

inline act() {
  o = 1 - w;
  enter();
  do
  :: i < MAIL && mail[AT(w, i)].used -> hear(mail[AT(w, i)]); settle(); clear(mail[AT(w, i)]); i++
  :: else -> break
  od;
  i = 0;
  settle();
  speak();
  m[w].late = 0;
  if :: was_kept -> delays-- :: else fi;
  keep = 0; was_kept = 0; o = 0;
  check()
}

/* One tick of member w's clock. */
inline age_member() {
  if :: m[w].lease > 0 && m[w].lease != LONG -> m[w].lease-- :: else fi;
  DOWN(m[w].grace);
  if
  :: m[w].up ->
     if :: m[w].slot > 0 -> m[w].slot-- :: m[w].slot == 0 && m[w].frozen -> UP(m[w].late, SAT) :: else fi;
     DOWN(m[w].hold); DOWN(m[w].listen); DOWN(m[w].catching); DOWN(m[w].yield); DOWN(m[w].alone_from);
     DOWN(m[w].nudge); DOWN(m[w].stand);
     UP(m[w].spoke, LIMIT);
     if :: m[w].doubt > 1 -> m[w].doubt-- :: else fi;
     if :: m[w].wait > 1 -> m[w].wait-- :: else fi;
     if :: m[w].deaf > 0 -> UP(m[w].deaf, LEASE + 1) :: else fi;
     if :: m[w].former > 1 -> m[w].former-- :: else fi;
     if :: m[w].resumed > 1 -> m[w].resumed-- :: else fi;
     if :: m[w].has_grace -> UP(m[w].granted, GRACE + 1) :: else fi;
     if :: m[w].alive && m[w].hears -> UP(m[w].acked, SAT) :: else fi;
     if :: m[w].known -> UP(m[w].silent, LIMIT) :: else fi
  :: else
  fi
}

inline age_heartbeat(h, from) {
  if
  :: h.used ->
     h.age++;
     if :: slow != from -> h.age_own++ :: else fi;
     if :: slow != 1 - from && h.hears -> UP(h.acked, SAT) :: else fi
  :: else
  fi
}

inline age_all() {
  w = 0;
  do
  :: w < 2 ->
     if :: slow != w -> age_member() :: else fi;
     if :: m[w].known -> UP(m[w].p_age, SAT); if :: slow != 1 - w -> UP(m[w].p_age_own, SAT) :: else fi :: else fi;
     UP(undelivered[w], APART);
     k = 0;
     do
     :: k < MAIL -> age_heartbeat(mail[AT(w, k)], 1 - w); k++
     :: else -> break
     od;
     k = 0;
     do
     :: k < 2 -> age_heartbeat(kept[OUT(w, k)], w); k++
     :: else -> break
     od;
     k = 0;
     w++
  :: else -> break
  od;
  w = 0; slow = 2;
  if
  :: undelivered[0] >= APART && undelivered[1] >= APART -> together = 0
  :: else -> UP(together, AFTERMATH + 1)
  fi;
  check()
}

/* Terms count from the lowest that anybody still speaks of. */
inline lowest(value) { if :: value < k -> k = value :: else fi }
inline normalise() {
  k = (m[0].seen < m[1].seen -> m[0].seen : m[1].seen);
  i = 0;
  do
  :: i < 2 -> lowest(m[i].term); if :: m[i].known -> lowest(m[i].p_term) :: else fi; i++
  :: else -> break
  od;
  i = 0;
  do
  :: i < 2 * MAIL -> if :: mail[i].used -> lowest(mail[i].term) :: else fi; i++
  :: else -> break
  od;
  i = 0;
  do
  :: i < 4 -> if :: kept[i].used -> lowest(kept[i].term) :: else fi; i++
  :: else -> break
  od;
  i = 0;
  if
  :: k > 1 ->
     k--;
     do
     :: i < 2 ->
        m[i].seen = m[i].seen - k; m[i].term = m[i].term - k;
        if :: m[i].known -> m[i].p_term = m[i].p_term - k :: else fi;
        i++
     :: else -> break
     od;
     i = 0;
     do
     :: i < 2 * MAIL -> if :: mail[i].used -> mail[i].term = mail[i].term - k :: else fi; i++
     :: else -> break
     od;
     i = 0;
     do
     :: i < 4 -> if :: kept[i].used -> kept[i].term = kept[i].term - k :: else fi; i++
     :: else -> break
     od;
     i = 0
  :: else
  fi;
  k = 0
}

/* ---- faults ---- */

inline unlease() { m[w].lease = 0; m[w].has_grace = 0; m[w].peer_seen = 0; m[w].grace = 0 }

inline forget() {                      /* what dies with a process */
  m[w].up = 0; m[w].frozen = 0; m[w].changed = 0; m[w].handed = 0; m[w].state = INITIAL; m[w].seen = m[w].term;
  m[w].slot = 0; m[w].late = 0; m[w].hold = 0; m[w].listen = 0; m[w].catching = 0; m[w].doubt = 0; m[w].wait = 0;
  m[w].yield = 0; m[w].alone_from = 0; m[w].granted = 0; m[w].hears = 0; m[w].missing = 0; m[w].heard_us = 0; m[w].former = 0; m[w].stand = 0;
  m[w].acked = 0; m[w].acked_pardon = 0; m[w].deaf = 0; m[w].resumed = 0; m[w].nudge = 0; m[w].spoke = 0;
  m[w].known = 0; m[w].alive = 0; m[w].gone = 0; m[w].p_handed = 0; m[w].p_state = 0; m[w].p_term = 0;
  m[w].silent = 0; m[w].pardon = 0; m[w].p_age = 0; m[w].p_age_own = 0;
  do
  :: k < MAIL -> clear(mail[AT(w, k)]); k++
  :: else -> break
  od;
  k = 0
}

/* Member::start, with what the data path still holds. To all others the run before is over. */
inline start() {
  o = 1 - w;
  m[w].up = 1;
  m[w].hold = HOLD; m[w].alone_from = LIMIT;
  if
  :: IN_FORCE(w) ->
     m[w].resumed = 1 + (m[w].has_grace && m[w].peer_seen && m[w].grace < m[w].lease -> m[w].grace : m[w].lease);
     m[w].state = MASTER;
     grant()
  :: else -> unlease(); m[w].term = 0; m[w].seen = 0
  fi;
  /* what the other one knows, and what it is about to hear, is of the run before */
  if :: m[o].known -> m[o].gone = 1; m[o].p_age_own = SAT :: else fi;
  k = 0;
  do
  :: k < MAIL -> if :: mail[AT(o, k)].used -> mail[AT(o, k)].old = 1 :: else fi; k++
  :: else -> break
  od;
  k = 0;
  do
  :: k < 2 ->
     if :: kept[OUT(w, k)].used -> kept[OUT(w, k)].old = 1 :: else fi;
     if :: kept[OUT(o, k)].hears -> kept[OUT(o, k)].hears = 0; kept[OUT(o, k)].former = 1; kept[OUT(o, k)].acked = 0; kept[OUT(o, k)].pardon = 0 :: else fi;
     k++
  :: else -> break
  od;
  k = 0; o = 0
}

inline release(n) {                    /* what was kept back arrives */
  d_step { o = (n < 2 -> 1 : 0); deliver(kept[n]); clear(kept[n]); o = 0 }
}

inline disturb(n) {
  if
  :: m[n].up && !m[n].frozen && freezes > 0 -> d_step { m[n].frozen = 1; freezes-- }
  :: m[n].frozen -> m[n].frozen = 0
  :: m[n].up && crashes > 0 -> d_step { w = n; forget(); crashes--; w = 0 }
  :: m[n].up && crashes > 0 && m[n].lease > 0 ->       /* the whole machine */
     d_step { w = n; forget(); unlease(); m[w].term = 0; m[w].seen = 0; crashes--; w = 0 }
  :: !m[n].up -> d_step { w = n; start(); w = 0 }
  :: commands > 0 && m[n].up && !m[n].frozen && m[n].state == MASTER && m[n].alive && m[n].hears && !m[n].p_handed &&
     (m[n].p_state == BACKUP || m[n].p_state == PRIMARY) ->        /* handover.cc, release_to */
     d_step { w = n; commands--; step_down(); m[w].handed = 1; m[w].yield = LIMIT; w = 0 }
  :: skip
  fi;
  if
  :: m[n].frozen && m[n].late >= MAX_FREEZE -> m[n].frozen = 0
  :: else
  fi
}

inline disturb_way(n) {                /* from member n */
  if
  :: cuts > 0 && !cut[OUT(n, 0)] -> d_step { cut[OUT(n, 0)] = 1; cuts-- }
  :: cuts > 0 && !cut[OUT(n, 1)] -> d_step { cut[OUT(n, 1)] = 1; cuts-- }
  :: cuts > 0 && !cut[OUT(n, 0)] && !cut[OUT(n, 1)] -> d_step { cut[OUT(n, 0)] = 1; cut[OUT(n, 1)] = 1; cuts-- }
  :: cut[OUT(n, 0)] -> cut[OUT(n, 0)] = 0
  :: cut[OUT(n, 1)] -> cut[OUT(n, 1)] = 0
  :: cut[OUT(n, 0)] && cut[OUT(n, 1)] -> d_step { cut[OUT(n, 0)] = 0; cut[OUT(n, 1)] = 0 }
  :: skip
  fi;
  if
  :: kept[OUT(n, 0)].used -> release(OUT(n, 0))
  :: kept[OUT(n, 1)].used -> release(OUT(n, 1))
  :: kept[OUT(n, 0)].used && kept[OUT(n, 1)].used -> release(OUT(n, 0)); release(OUT(n, 1))
  :: !(kept[OUT(n, 0)].used && kept[OUT(n, 0)].age >= MAX_DELAY) &&
           !(kept[OUT(n, 1)].used && kept[OUT(n, 1)].age >= MAX_DELAY) -> skip
  fi
}

inline turn(n) {
  if
  :: m[n].up && !m[n].frozen ->
     if
     :: keep = 0
     :: !peace && delays > 0 -> keep = 1
     :: !peace && delays > 0 -> keep = 3
     fi;
     d_step { w = n; act(); w = 0 }
  :: else
  fi
}

/* Liveness: once the faults are over, exactly one master within BOUND ticks, and the same one ever after. */
inline count_calm() {
  if
  :: peace && calm < BOUND -> calm++
  :: peace && calm == BOUND && settled == 2 ->
     assert((m[0].state == MASTER) != (m[1].state == MASTER));
     settled = (m[1].state == MASTER -> 1 : 0)
  :: peace && settled != 2 -> assert(m[settled].state == MASTER && m[1 - settled].state != MASTER && IN_FORCE(settled))
  :: else
  fi
}

/* One line a tick of a run replayed with `pan -r`, if pan was compiled with -DPRINTF. */
inline tell() {
  printf("cut %d%d %d%d kept %d%d %d%d calm %d\n", cut[0], cut[1], cut[2], cut[3], kept[0].used, kept[1].used,
         kept[2].used, kept[3].used, calm);
  i = 0;
  do
  :: i < 2 ->
     printf("   m%d up %d frozen %d late %d state %d term %d/%d lease %d grace %d%d %d | hold %d listen %d wait %d catch %d doubt %d acked %d alone %d | peer %d%d state %d silent %d age %d\n",
            i, m[i].up, m[i].frozen, m[i].late, m[i].state, m[i].term, m[i].seen, m[i].lease, m[i].has_grace,
            m[i].peer_seen, m[i].grace, m[i].hold, m[i].listen, m[i].wait, m[i].catching, m[i].doubt, m[i].acked,
            m[i].alone_from, m[i].alive, m[i].gone, m[i].p_state, m[i].silent, m[i].p_age);
     i++
  :: else -> break
  od;
  i = 0
}

init {
  d_step { w = 0; start(); w = 1; start(); w = 0; undelivered[0] = APART; undelivered[1] = APART }
  if :: m[1].slot = 0 :: m[1].slot = Q / 2 :: m[1].slot = Q - 1 fi;
  do
  :: true ->
     atomic {
       if
       :: !peace -> disturb(0); disturb(1); disturb_way(0); disturb_way(1);
          if :: skews > 0 -> slow = 0; skews-- :: skews > 0 -> slow = 1; skews-- :: skip fi
         :: !peace && QUIET ->
          d_step { peace = 1; cuts = 0; delays = 0; freezes = 0; crashes = 0; skews = 0; commands = 0 }
       :: else
       fi;
       d_step { age_all(); count_calm() }
       if
       :: true -> turn(0); turn(1)
       :: true -> turn(1); turn(0)
       fi;
       d_step { normalise(); tell() }
     }
  od
}
