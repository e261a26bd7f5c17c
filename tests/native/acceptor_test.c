/* Listening sockets: which addresses, which files, when there is no room, and how they end. */
#include "acceptor.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "loopback.h"
#include "rig.h"

static int unix_socket(const char *path, bool listening, int backlog) {
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    snprintf(name.sun_path, sizeof name.sun_path, "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (listening) {
        CHECK_INT(bind(fd, (const struct sockaddr *)&name, sizeof name), 0);
        CHECK_INT(listen(fd, backlog), 0);
    } else {
        CHECK_INT(connect(fd, (const struct sockaddr *)&name, sizeof name), 0);
    }
    return fd;
}

static int32_t listen_on(rig *bench, const char *host, uint16_t port) {
    return acceptor_listen(&bench->sched.acceptor, bench->sched.room.epoll_fd, host, port, 16);
}

static int32_t listen_unix(rig *bench, const char *path) {
    return acceptor_listen_unix(&bench->sched.acceptor, bench->sched.room.epoll_fd, path, 16);
}

static void port_zero_takes_a_free_port_and_a_connection_comes_in(void) {
    rig *bench = rig_open();
    int32_t port = listen_on(bench, "127.0.0.1", 0);
    CHECK(port > 0 && port < 65536);
    int client = connect_to(port);
    rig_poll(bench);
    CHECK_INT(bench->sched.room.open, 1);
    struct sockaddr_in name;
    socklen_t len = sizeof name;
    getsockname(client, (struct sockaddr *)&name, &len);
    const conn *con = rig_conn(bench);
    CHECK_INT(con->peer_len, 6);
    CHECK_MEM(con->peer, 2, &name.sin_port, 2);
    CHECK_MEM(con->peer + 2, 4, &name.sin_addr, 4);
    int on = 0;
    len = sizeof on;
    getsockopt(con->sink.fd, IPPROTO_TCP, TCP_NODELAY, &on, &len);
    CHECK(on != 0);
    CHECK(fcntl(con->sink.fd, F_GETFL) & O_NONBLOCK);
    CHECK(fcntl(con->sink.fd, F_GETFD) & FD_CLOEXEC);
    CHECK(fcntl(bench->sched.acceptor.listeners[0].fd, F_GETFD) & FD_CLOEXEC);
    close(client);
    rig_close(bench);
}

static void all_who_wait_are_accepted_in_one_turn(void) {
    rig *bench = rig_open();
    int32_t port = listen_on(bench, "127.0.0.1", 0);
    int clients[10];
    for (unsigned i = 0; i < 10; i++) {
        clients[i] = connect_to(port);
    }
    rig_poll(bench);
    CHECK_INT(bench->sched.room.open, 10);
    for (unsigned i = 0; i < 10; i++) {
        close(clients[i]);
    }
    rig_close(bench);
}

static void a_port_that_is_taken_and_a_host_that_does_not_exist_are_told(void) {
    rig *bench = rig_open();
    rig *other = rig_open();
    int32_t port = listen_on(bench, "127.0.0.1", 0);
    CHECK_INT(listen_on(other, "127.0.0.1", (uint16_t)port), TB_ESYSTEM - EADDRINUSE);
    CHECK_INT(listen_on(other, "256.0.0.1", 0), TB_ESYSTEM - EADDRNOTAVAIL);
    CHECK_INT(listen_on(other, "", 0), TB_ESYSTEM - EADDRNOTAVAIL);
    CHECK_INT(listen_on(other, "192.0.2.1", 0), TB_ESYSTEM - EADDRNOTAVAIL); /* not an address of this machine */
    CHECK_INT(other->sched.acceptor.count, 0);
    rig_close(bench);
    rig_close(other);
}

static void one_listener_more_than_the_most_is_refused(void) {
    rig *bench = rig_open();
    for (unsigned i = 0; i < ACCEPTOR_LISTENERS_MAX; i++) {
        CHECK(listen_on(bench, "127.0.0.1", 0) > 0);
    }
    CHECK_INT(listen_on(bench, "127.0.0.1", 0), TB_ELIMIT);
    CHECK_INT(listen_unix(bench, "one-more.sock"), TB_ELIMIT);
    rig_close(bench);
}

static void a_full_house_pauses_and_goes_on_when_somebody_leaves(void) {
    tb_config config = rig_config;
    config.connections_max = 2;
    rig *bench = rig_open_with(&config);
    int32_t port = listen_on(bench, "127.0.0.1", 0);
    int clients[3] = {connect_to(port), connect_to(port), connect_to(port)};
    rig_poll(bench);
    CHECK_INT(bench->sched.room.open, 2);
    CHECK(bench->sched.acceptor.paused);
    rig_poll(bench);
    CHECK_INT(bench->sched.room.open, 2);
    close(clients[0]);
    for (unsigned polls = 0; polls < 5; polls++) {
        rig_poll(bench);
    }
    CHECK_INT(bench->sched.room.open, 2);
    CHECK_INT(rig_stat(&bench->sched.room.stats.connections_accepted), 3);
    close(clients[1]);
    close(clients[2]);
    rig_close(bench);
}

static void a_machine_without_descriptors_pauses_and_goes_on_when_there_are_some(void) {
    rig *bench = rig_open();
    int32_t port = listen_on(bench, "127.0.0.1", 0);
    int client = connect_to(port);
    struct rlimit before, none;
    getrlimit(RLIMIT_NOFILE, &before);
    none = before;
    none.rlim_cur = 3;
    setrlimit(RLIMIT_NOFILE, &none);
    rig_poll(bench);
    CHECK_INT(bench->sched.room.open, 0);
    CHECK_INT(rig_stat(&bench->sched.room.stats.accept_errors), 1);
    CHECK(bench->sched.acceptor.paused);
    setrlimit(RLIMIT_NOFILE, &before);
    rig_poll(bench);
    rig_poll(bench);
    CHECK_INT(bench->sched.room.open, 1);
    close(client);
    rig_close(bench);
}

static void a_unix_socket_is_made_and_removed_again(void) {
    rig *bench = rig_open();
    CHECK_INT(listen_unix(bench, "here.sock"), 0);
    int client = unix_socket("here.sock", false, 0);
    rig_poll(bench);
    CHECK_INT(bench->sched.room.open, 1);
    CHECK_INT(rig_conn(bench)->peer_len, 0);
    rig_close(bench);
    CHECK(access("here.sock", F_OK) != 0);
    close(client);
}

static void a_dead_socket_is_replaced_and_anything_else_in_the_way_is_left_alone(void) {
    rig *bench = rig_open();
    close(unix_socket("dead.sock", true, 1));
    CHECK_INT(listen_unix(bench, "dead.sock"), 0);
    int live = unix_socket("live.sock", true, 1);
    CHECK_INT(listen_unix(bench, "live.sock"), TB_ESYSTEM - EADDRINUSE);
    close(open("file.sock", O_CREAT | O_WRONLY, 0600));
    CHECK_INT(listen_unix(bench, "file.sock"), TB_ESYSTEM - EADDRINUSE);
    CHECK_INT(symlink("dead.sock", "link.sock"), 0);
    CHECK_INT(listen_unix(bench, "link.sock"), TB_ESYSTEM - EADDRINUSE);
    CHECK_INT(listen_unix(bench, "no/such/folder.sock"), TB_ESYSTEM - ENOENT);
    rig_close(bench);
    static const char *const left[] = {"live.sock", "file.sock", "link.sock"};
    for (size_t i = 0; i < 3; i++) {
        struct stat info;
        CHECK_INT(lstat(left[i], &info), 0);
        unlink(left[i]);
    }
    CHECK(access("dead.sock", F_OK) != 0);
    close(live);
}

static void a_live_server_whose_backlog_is_full_does_not_keep_us_waiting(void) {
    rig *bench = rig_open();
    int live = unix_socket("full.sock", true, 0);
    int client = unix_socket("full.sock", false, 0);
    CHECK_INT(listen_unix(bench, "full.sock"), TB_ESYSTEM - EADDRINUSE);
    close(client);
    close(live);
    unlink("full.sock");
    rig_close(bench);
}

static void a_path_of_a_wrong_length_is_refused(void) {
    rig *bench = rig_open();
    char path[200];
    memset(path, 'p', sizeof path);
    path[108] = '\0';
    CHECK_INT(listen_unix(bench, path), TB_ESYSTEM - ENAMETOOLONG);
    CHECK_INT(listen_unix(bench, ""), TB_ESYSTEM - ENAMETOOLONG);
    path[107] = '\0';
    CHECK_INT(listen_unix(bench, path), 0);
    rig_close(bench);
    CHECK(access(path, F_OK) != 0);
}

static void draining_closes_the_listeners_after_those_who_came_before(void) {
    rig *bench = rig_open();
    int32_t port = listen_on(bench, "127.0.0.1", 0);
    CHECK_INT(listen_unix(bench, "drain.sock"), 0);
    int client = connect_to(port);
    rig_send(client, "GET /before HTTP/1.1\r\nHost: a\r\n\r\n");
    atomic_store(&bench->sched.drain_due, true);
    CHECK_INT(rig_serve(bench), 1);
    CHECK_INT(rig_poll(bench), TB_POLL_DRAINED);
    CHECK_INT(rig_count(rig_receive(bench, client), "HTTP/1.1 200"), 1);
    CHECK(bench->eof);
    CHECK_INT(bench->sched.acceptor.count, 0);
    CHECK(access("drain.sock", F_OK) != 0);
    close(client);
    rig_close(bench);
}

static void a_listener_that_is_closed_neither_listens_nor_is_polled_though_a_child_process_still_has_it(void) {
    rig *bench = rig_open();
    int32_t port = listen_on(bench, "127.0.0.1", 0);
    int copy = dup(bench->sched.acceptor.listeners[0].fd);
    acceptor_close(&bench->sched.acceptor, bench->sched.room.epoll_fd);
    int listening = 1;
    socklen_t len = sizeof listening;
    CHECK_INT(getsockopt(copy, SOL_SOCKET, SO_ACCEPTCONN, &listening, &len), 0);
    CHECK_INT(listening, 0);
    CHECK(port > 0);
    struct epoll_event event;
    CHECK_INT(epoll_wait(bench->sched.room.epoll_fd, &event, 1, 0), 0);
    close(copy);
    rig_close(bench);
}

static void a_forked_child_closes_its_copies_and_leaves_poll_set_and_file_to_the_parent(void) {
    rig *bench = rig_open();
    CHECK_INT(listen_unix(bench, "parent.sock"), 0);
    acceptor child = bench->sched.acceptor;
    child.listeners[0].fd = dup(child.listeners[0].fd);
    acceptor_close(&child, -1);
    CHECK(fcntl(child.listeners[0].fd, F_GETFD) < 0);
    int client = unix_socket("parent.sock", false, 0);
    rig_poll(bench);
    CHECK_INT(bench->sched.room.open, 1);
    close(client);
    rig_close(bench);
}

int main(void) {
    RUN(port_zero_takes_a_free_port_and_a_connection_comes_in);
    RUN(all_who_wait_are_accepted_in_one_turn);
    RUN(a_port_that_is_taken_and_a_host_that_does_not_exist_are_told);
    RUN(one_listener_more_than_the_most_is_refused);
    RUN(a_full_house_pauses_and_goes_on_when_somebody_leaves);
    RUN(a_machine_without_descriptors_pauses_and_goes_on_when_there_are_some);
    RUN(a_unix_socket_is_made_and_removed_again);
    RUN(a_dead_socket_is_replaced_and_anything_else_in_the_way_is_left_alone);
    RUN(a_live_server_whose_backlog_is_full_does_not_keep_us_waiting);
    RUN(a_path_of_a_wrong_length_is_refused);
    RUN(draining_closes_the_listeners_after_those_who_came_before);
    RUN(a_listener_that_is_closed_neither_listens_nor_is_polled_though_a_child_process_still_has_it);
    RUN(a_forked_child_closes_its_copies_and_leaves_poll_set_and_file_to_the_parent);
    return check_end();
}
