%% The jobs of process_jobs.py, one for one, on the BEAM: erl -noshell -run processes main JOB COUNT.
%%
%% Owns:  what OTP's own gen_server and supervisor cost for the same work.
%% Knows: that the line it prints is JSON: microseconds by operation on both clocks, and bytes by process.
%% Never: more than one job in one OS process.
-module(processes).
-behaviour(gen_server).
-export([main/1, init/1, handle_call/3, handle_cast/2]).
-define(WAIT_MS, 120000).

main([Job, Count]) ->
    logger:set_primary_config(level, none),
    io:put_chars(warmed_up(list_to_atom(Job), list_to_integer(Count))),
    erlang:halt(0, [{flush, true}]).

%% The servers: a counter, a hop to the next one, a supervisor, and a child that crashes.

init({counter, N}) -> {ok, N};
init({hop, Next}) -> {ok, {hop, Next}};
init({child, Test}) -> Test ! {started, self()}, {ok, child};
init({supervisor, Test, Count}) ->
    Child = {gen_server, start_link, [?MODULE, {child, Test}, []]},
    {ok, {#{intensity => Count + 1, period => 3600}, [#{id => child, start => Child}]}}.

handle_call(_, _, {hop, none} = State) -> {reply, 0, State};
handle_call(Message, _, {hop, Next} = State) -> {reply, gen_server:call(Next, Message), State};
handle_call(_, _, N) -> {reply, N, N + 1}.

handle_cast(add, N) -> {noreply, N + 1};
handle_cast({tell, Pid, Message}, State) -> Pid ! Message, {noreply, State};
handle_cast({hold, Pid}, State) ->
    Pid ! inside,
    receive go_on -> {noreply, State} end;
handle_cast({to, Partner}, {hop, _}) -> {noreply, {hop, Partner}};
handle_cast({0, Pid}, State) -> Pid ! done, {noreply, State};
handle_cast({Left, Pid}, {hop, Partner} = State) ->
    gen_server:cast(Partner, {Left - 1, Pid}),
    {noreply, State};
handle_cast(crash, child) -> error(as_the_benchmark_wants_it).

%% The jobs.

warmed_up(start, Count) -> job(start, Count);
warmed_up(Job, Count) ->
    job(Job, Count div 10),
    job(Job, Count).

job(start, Count) ->
    Before = resident_bytes(),
    Clock = clock(),
    Pids = [counter(N) || N <- lists:seq(1, Count)],
    Sample = sample(Clock, Count),
    Bytes = (resident_bytes() - Before) / Count,
    gen_server:call(lists:last(Pids), add),
    json(Sample, io_lib:format(", \"bytes\": ~.1f", [Bytes]));
job(call, Count) ->
    Pid = counter(0),
    Clock = clock(),
    calls(Pid, Count),
    json(sample(Clock, Count));
job(cast_send, Count) ->
    Pid = counter(0),
    gen_server:cast(Pid, {hold, self()}),
    wait(inside),
    Clock = clock(),
    casts(Pid, Count),
    Sample = sample(Clock, Count),
    Pid ! go_on,
    gen_server:cast(Pid, {tell, self(), done}),
    wait(done),
    json(Sample);
job(cast, Count) ->
    Pid = counter(0),
    Clock = clock(),
    casts(Pid, Count),
    gen_server:cast(Pid, {tell, self(), done}),
    wait(done),
    json(sample(Clock, Count));
job(stop, Count) ->
    Pids = [counter(N) || N <- lists:seq(1, Count)],
    Clock = clock(),
    lists:foreach(fun gen_server:stop/1, Pids),
    json(sample(Clock, Count));
job(ping_pong, Count) ->
    One = hop(none),
    Other = hop(One),
    gen_server:cast(One, {to, Other}),
    Clock = clock(),
    gen_server:cast(One, {Count - 1, self()}),
    wait(done),
    json(sample(Clock, Count));
job(busy_call, Count) ->
    Pid = counter(0),
    Clock = clock(),
    Workers = [spawn_monitor(fun() -> calls(Pid, Count div 2) end) || _ <- [1, 2]],
    [receive {'DOWN', Ref, _, _, normal} -> ok end || {_, Ref} <- Workers],
    json(sample(Clock, Count div 2 * 2));
job(chain, Count) ->
    Pid = lists:foldl(fun(_, Next) -> hop(Next) end, none, lists:seq(1, 10)),
    Clock = clock(),
    calls(Pid, Count),
    json(sample(Clock, Count));
job(restart, Count) ->
    {ok, _} = supervisor:start_link(?MODULE, {supervisor, self(), Count}),
    First = receive {started, Pid} -> Pid after ?WAIT_MS -> error(nothing_started) end,
    Clock = clock(),
    lists:foldl(fun(_, Child) ->
        gen_server:cast(Child, crash),
        receive {started, Next} -> Next after ?WAIT_MS -> error(not_started_again) end
    end, First, lists:seq(1, Count)),
    json(sample(Clock, Count)).

counter(N) ->
    {ok, Pid} = gen_server:start(?MODULE, {counter, N}, []),
    Pid.

hop(Next) ->
    {ok, Pid} = gen_server:start(?MODULE, {hop, Next}, []),
    Pid.

calls(_, 0) -> ok;
calls(Pid, Left) -> gen_server:call(Pid, add), calls(Pid, Left - 1).

casts(_, 0) -> ok;
casts(Pid, Left) -> gen_server:cast(Pid, add), casts(Pid, Left - 1).

wait(Message) -> receive Message -> ok after ?WAIT_MS -> error({never_came, Message}) end.

%% The clocks.

clock() -> {erlang:monotonic_time(nanosecond), cpu_ticks()}.

%% User and system time of the OS process in hundredths of a second; statistics(runtime) leaves the system's out.
cpu_ticks() ->
    [_, Rest] = string:split(first_line("/proc/self/stat"), ") ", trailing),
    [User, System] = lists:sublist(string:lexemes(Rest, " "), 12, 2),
    list_to_integer(User) + list_to_integer(System).

sample({Wall, Cpu}, Count) ->
    {NowWall, NowCpu} = clock(),
    {(NowWall - Wall) / 1.0e3 / Count, (NowCpu - Cpu) * 1.0e4 / Count}.

json(Sample) -> json(Sample, "").

json({Wall, Cpu}, More) ->
    io_lib:format("{\"wall_us\": ~.4f, \"cpu_us\": ~.4f~s}~n", [Wall, Cpu, More]).

resident_bytes() ->
    list_to_integer(lists:nth(2, string:lexemes(first_line("/proc/self/statm"), " "))) * 4096.

first_line(Path) ->
    {ok, File} = file:open(Path, [read]),
    {ok, Line} = file:read_line(File),
    file:close(File),
    Line.
