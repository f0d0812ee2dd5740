/*
 * The interpreter of Lua, as it is, running a script of ours n times. WASI of this toolchain has no
 * setjmp, so that an error in a script ends the program: `build.ts` defines Lua's own hooks for that.
 */
#include <stdio.h>
#include <stdlib.h>
#include "lauxlib.h"
#include "lualib.h"

static const char script[] =
  "local queens = 0\n"
  "local function place(row, size, columns, down, up)\n"
  "  if row > size then queens = queens + 1 return end\n"
  "  for column = 1, size do\n"
  "    if not (columns[column] or down[row + column] or up[row - column]) then\n"
  "      columns[column], down[row + column], up[row - column] = true, true, true\n"
  "      place(row + 1, size, columns, down, up)\n"
  "      columns[column], down[row + column], up[row - column] = nil, nil, nil\n"
  "    end\n"
  "  end\n"
  "end\n"
  "place(1, 7, {}, {}, {})\n"
  "local words, seen = {}, 0\n"
  "for i = 1, 2000 do words[i] = string.format('%05d', i * 7919 % 10007) end\n"
  "table.sort(words)\n"
  "for word in table.concat(words, ' '):gmatch('%d+7 ') do seen = seen + #word end\n"
  "return queens .. ' ' .. words[1000] .. ' ' .. seen\n";

int main(int argc, char **argv) {
  int rounds = argc > 1 ? atoi(argv[1]) : 1;
  for (int round = 1; round <= rounds; round++) {
    lua_State *lua = luaL_newstate();
    luaL_requiref(lua, "_G", luaopen_base, 1);
    luaL_requiref(lua, "string", luaopen_string, 1);
    luaL_requiref(lua, "table", luaopen_table, 1);
    lua_settop(lua, 0);
    if (luaL_dostring(lua, script) != LUA_OK) return 1;
    if (round == rounds) printf("%s\n", lua_tostring(lua, -1));
    lua_close(lua);
  }
  return 0;
}
