module tulle/smuggling

go 1.19
