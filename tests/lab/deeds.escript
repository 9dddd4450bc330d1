%% What the intruder of tests/erlang_lab.rs does, one deed after the other. Arguments: the node it asks, its cookie, and
%% a folder there that it may write to.
main([VictimText, Cookie, Folder]) ->
    Victim = list_to_atom(VictimText),
    {ok, _} = net_kernel:start(['intruder@10.99.7.2', longnames]),
    erlang:set_cookie(node(), list_to_atom(Cookie)),
    pong = net_adm:ping(Victim),
    %% What does no harm.
    Victim = rpc:call(Victim, erlang, node, []),
    undefined = rpc:call(Victim, erlang, whereis, [nobody]),
    %% Commands, plain and wrapped.
    "plain\n" = rpc:call(Victim, os, cmd, ["echo plain"]),
    "nested\n" = erpc:call(Victim, erlang, apply, [erlang, apply, [os, cmd, ["echo nested"]]]),
    "server\n" = gen_server:call({rex, Victim}, {call, os, cmd, ["echo server"], group_leader()}),
    Self = self(),
    Fun = evaluated("fun() -> os:cmd(\"echo fun\") end."),
    spawn(Victim, erlang, apply, [Fun, []]),
    %% The cookie.
    _ = rpc:call(Victim, erlang, get_cookie, []),
    %% Files.
    ok = rpc:call(Victim, file, write_file, [filename:join(Folder, "left.txt"), <<"left here">>]),
    ok = rpc:call(Victim, file, delete, [filename:join(Folder, "left.txt")]),
    %% Code.
    {ok, labmod, Binary} = compile:forms(forms(), []),
    {module, labmod} = rpc:call(Victim, code, load_binary, [labmod, "labmod.erl", Binary]),
    hello = rpc:call(Victim, labmod, hello, []),
    %% Output of a process there, shown here.
    ok = rpc:call(Victim, io, format, ["printed ~p~n", [from_there]]),
    %% Results larger than a packet.
    Large = rpc:call(Victim, lists, seq, [-5, 29000]),
    29006 = length(Large),
    Self ! done,
    receive done -> ok end,
    ok = rpc:call(Victim, init, stop, []),
    timer:sleep(1000).

evaluated(Text) ->
    {ok, Tokens, _} = erl_scan:string(Text),
    {ok, [Expression]} = erl_parse:parse_exprs(Tokens),
    {value, Fun, _} = erl_eval:expr(Expression, []),
    Fun.

forms() ->
    Lines = ["-module(labmod).", "-export([hello/0]).", "hello() -> hello."],
    [begin {ok, Tokens, _} = erl_scan:string(Line), {ok, Form} = erl_parse:parse_form(Tokens), Form end || Line <- Lines].
