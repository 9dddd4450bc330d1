%% Terms of all types, drawn at random, as Erlang encodes and prints them: hexadecimal, tab, text. Arguments: how many,
%% and a seed.
main([Count, Seed]) ->
    io:setopts([{encoding, unicode}]),
    rand:seed(exsss, list_to_integer(Seed)),
    [line(term(rand:uniform(5))) || _ <- lists:seq(1, list_to_integer(Count))].

line(Term) ->
    Options = lists:nth(rand:uniform(4), [[], [compressed], [{minor_version, 1}], [{minor_version, 2}]]),
    Hex = binary:encode_hex(term_to_binary(Term, Options)),
    io:format("~s\t~0tp~n", [Hex, Term]).

term(0) -> leaf(rand:uniform(11));
term(Depth) ->
    case rand:uniform(7) of
        1 -> [term(Depth - 1) || _ <- some()];
        2 -> list_to_tuple([term(Depth - 1) || _ <- some()]);
        3 -> maps:from_list([{leaf(rand:uniform(11)), term(Depth - 1)} || _ <- one()]);
        4 -> [term(Depth - 1) | leaf(2)];
        5 -> lists:duplicate(rand:uniform(300), leaf(1));
        _ -> leaf(rand:uniform(11))
    end.

some() -> lists:seq(1, rand:uniform(6) - 1).
%% Maps are printed in an order of their own: one key is enough.
one() -> lists:seq(1, rand:uniform(2) - 1).

leaf(1) -> rand:uniform(256) - 1;
leaf(2) -> list_to_atom([letter() || _ <- lists:seq(1, rand:uniform(12))]);
leaf(3) -> rand:uniform(1 bsl 32) - (1 bsl 31);
leaf(4) -> (rand:uniform(1 bsl 62) bsl rand:uniform(400)) * (1 - 2 * rand:uniform(2));
leaf(5) -> (rand:uniform() - 0.5) * math:pow(10, rand:uniform(40) - 20);
leaf(6) -> rand:bytes(rand:uniform(20) - 1);
leaf(7) -> <<Bits:7/bitstring, _/bitstring>> = rand:bytes(1), <<(rand:bytes(rand:uniform(3)))/binary, Bits/bitstring>>;
leaf(8) -> [$  + rand:uniform(94) || _ <- lists:seq(1, rand:uniform(20))];
leaf(9) -> unicode:characters_to_binary([letter() || _ <- lists:seq(1, 8)]);
leaf(10) -> fun lists:map/2;
leaf(11) -> lists:nth(rand:uniform(9), ['', 'Quoted', 'with space', 'end', true, undefined, 'é', 'ключ', '\n']).

letter() -> lists:nth(rand:uniform(8), [$a, $Z, $0, $_, $@, $é, $ж, $ ]).
