package emulator

import "strings"

// The names of the people. Given and family names are drawn apart, so a list of a few hundred words makes tens of
// thousands of people; beyond that a number tells namesakes' logins apart.
var (
	givenNames  = strings.Fields(givenNameList)
	familyNames = strings.Fields(familyNameList)
)

const givenNameList = `Amara Anders Anika Antonio Ariane Arjun Astrid Aurelio Ayşe Beatriz Bence Birgit Bjorn Bruno Camille Carlos
Carmen Cedric Chiara Chinedu Clara Claudia Dagmar Daniela Dario David Diego Dorota Edith Eduardo Elena Elias Elif Emeka
Emilia Emre Erik Esther Ewa Fatima Felix Femi Filip Fiona Francesca Freya Gabriel Giulia Grace Greta Gustav Hana Hannah
Harald Hassan Helena Henrik Hiroshi Hugo Ida Ifeoma Imani Ines Ingmar Irene Isaac Ivan Jana Jasper Javier Joana Johan
Jonas Joost Julia Kaito Kamila Karim Katarina Keisha Kenji Klara Lars Latisha Laura Leila Lena Leon Liam Lina Lorenzo
Lotte Luca Luis Maja Malik Marcus Maria Marit Marta Matilda Mehmet Mei Mercy Mikael Milan Mina Mira Miriam Naoki Natalia
Ngozi Nils Nina Noor Nora Oksana Olivia Omari Oskar Pablo Paula Pedro Petra Quentin Rafael Rahul Renata Ricardo Rosa
Ruben Ruth Samir Sanne Sara Sebastian Selin Sergio Sienna Simon Sofia Stefan Sunita Sven Tamara Tariq Teresa Thabo
Theo Thomas Tiago Ulrike Valeria Vera Victor Viola Wanda Wei Willem Yara Yuki Zainab Zofia`

const familyNameList = `Abbott Adeyemi Aguilar Ahmed Alvarez Andersen Antunes Arslan Baker Banerjee Barros Becker Bello Berg Bianchi
Boateng Brandt Brennan Bruun Calder Cardoso Carlsen Castillo Chandra Chen Cohen Costa Dalgaard Danso Davies Dekker Delgado
Diallo Dimitrov Doyle Dubois Eriksen Espinoza Evans Fabre Falk Farouk Fischer Fonseca Foster Fuchs Gallagher Garcia Gomes
Graf Greene Gruber Gupta Haas Hansen Haruna Hayes Hendriks Herrera Hoang Hoffmann Horvat Hughes Ibrahim Ito Iversen Jansen
Jimenez Johansson Joshi Kaya Keller Khan Kim Klein Koch Kovacs Kowalski Kruger Kumar Larsen Lefevre Lima Lindberg Lopez
Lund Macedo Madsen Maes Malone Marino Martins Mbeki Medina Mensah Meyer Mishra Molina Moreau Morris Mueller Nakamura
Ndiaye Nguyen Nilsson Novak Nunes Obi Okafor Olsen Ortega Osei Otieno Owusu Park Patel Pereira Peters Petrov Pinto
Popescu Quinn Ramos Rao Reyes Ricci Rivera Romero Rossi Ruiz Sahin Saito Salazar Sandberg Santos Sato Schmidt Schulz
Sharma Silva Simic Singh Skov Sorensen Sousa Stein Suarez Suzuki Takahashi Tanaka Tavares Teixeira Thorne Toth Tran
Ueda Urban Valdez Varga Vega Verma Vogel Wagner Walsh Weber Weiss Wolff Yamamoto Yilmaz Zhang Ziegler Zimmermann`

// asciiLogin is the part of a login that a name gives.
func asciiLogin(given, family string) string {
	return plainLetters.Replace(strings.ToLower(given)) + "." + plainLetters.Replace(strings.ToLower(family))
}

var plainLetters = strings.NewReplacer("ş", "s", " ", "", "'", "", "í", "i", "é", "e", "ø", "o")
